package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

// judge is what lives as long as the process: CRDs that were read, and what was said of each.
type judge struct {
	definitions map[[sha256.Size]byte]*definition
	verdicts    map[[sha256.Size]byte][]finding
	trees       map[string]definitions
	policies    map[[sha256.Size]byte]*admissionPolicy
}

func newJudge() *judge {
	return &judge{
		definitions: map[[sha256.Size]byte]*definition{}, verdicts: map[[sha256.Size]byte][]finding{},
		trees: map[string]definitions{}, policies: map[[sha256.Size]byte]*admissionPolicy{},
	}
}

// maxFindings is how many findings of one object are told.
const maxFindings = 20

// A court is one request while it is worked on.
type court struct {
	*judge
	request   *judgeRequest
	known     definitions
	minor     int
	objects   []*judged
	findings  []finding
	unchecked map[string]bool
}

// judged is an object with what was made of it; built is nil where nothing could be.
type judged struct {
	head
	data   []byte
	fields map[string]any
	// isEncrypted: SOPS encrypted it.
	isEncrypted bool
	built       any // in the server's internal form

	// What policies see of it: as the server would store it, and what that replaces; nil where it could not be read.
	admitted, replaced runtime.Object
	current            []byte
	isRemoved          bool
	asked              *admissionRequest
}

// verdict judges the objects of a request.
func (j *judge) verdict(request *judgeRequest, files map[string]string) verdict {
	court := &court{judge: j, request: request, minor: schemas().minor(request.Kubernetes), unchecked: map[string]bool{}}
	court.known = definitions{}
	for kind, found := range j.tree(request.Definitions, files) {
		court.known[kind] = found
	}
	for _, data := range request.Objects {
		one := parse(data)
		court.objects = append(court.objects, one)
		if one.gvk().Group == definitionGroup {
			court.known.add(j.definition(data)) // CRDs of the same output go first
		}
	}
	for number, one := range court.objects {
		one.current = court.current(number)
		court.look(number, one)
		court.policies(number, one)
	}
	for number, data := range request.Removed {
		one := parse(data)
		one.isRemoved = true
		court.policies(len(court.objects)+number, one)
	}
	court.references()
	return verdict{Findings: append([]finding{}, court.findings...), Unchecked: append([]string{}, sortedKeys(court.unchecked)...)}
}

func (j *judge) tree(id string, files map[string]string) definitions {
	if _, ok := j.trees[id]; !ok {
		j.trees[id] = j.definitionsOf(files)
	}
	return j.trees[id]
}

func parse(data []byte) *judged {
	one := &judged{data: wholeNumbers(data)}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if decoder.Decode(&one.fields) == nil {
		one.APIVersion, _ = one.fields["apiVersion"].(string)
		one.Kind, _ = one.fields["kind"].(string)
		_, one.isEncrypted = one.fields["sops"]
	}
	return one
}

func headOf(data []byte) (found head) {
	_ = json.Unmarshal(data, &found)
	return found
}

// look judges one object. One that SOPS encrypted is another object when Flux applies it: nothing can be said of it.
func (c *court) look(number int, one *judged) {
	if one.isEncrypted {
		return
	}
	found := append(notApplied(one), c.guarded(number, one)...)
	if len(found) > maxFindings {
		found = append(found[:maxFindings:maxFindings], finding{
			Rule: ruleInvalid, Message: fmt.Sprintf("and %d more findings", len(found)-maxFindings),
		})
	}
	for _, entry := range found {
		entry.Object, entry.Message = number, clip(readable(entry.Message), 600)
		entry.Field = clip(entry.Field, 300)
		c.findings = append(c.findings, entry)
	}
}

// readable leaves out what the server adds for developers: a value of many fields, and the lines of a diff.
func readable(message string) string {
	message, _, _ = strings.Cut(strings.TrimSpace(message), "\n")
	message = strings.ReplaceAll(message, ": "+syscall.EPERM.Error(), ": unknown time zone")
	const begin = "Invalid value: "
	rest, ok := strings.CutPrefix(message, begin)
	if !ok || !strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, "[") {
		return message
	}
	decoder := json.NewDecoder(strings.NewReader(rest))
	var value any
	if err := decoder.Decode(&value); err != nil || decoder.InputOffset() < longValue {
		return message
	}
	return strings.TrimSuffix(begin, ": ") + rest[decoder.InputOffset():]
}

const longValue = 80

// guarded judges one object; where the server's own code panics, it is that object's finding.
func (c *court) guarded(number int, one *judged) (found []finding) {
	defer func() {
		if panicked := recover(); panicked != nil {
			found = []finding{{Rule: ruleInvalid, Message: fmt.Sprintf("cannot be judged: %v", panicked)}}
		}
	}()
	gvk := one.gvk()
	if kind, ok := served(gvk); ok {
		return c.builtIn(kind, number, one)
	}
	if definition, ok := c.known[gvk.GroupKind()]; ok {
		return c.custom(definition, number, one)
	}
	if isBuiltInGroup(gvk.Group) {
		return []finding{unknownKind(gvk)}
	}
	c.unchecked[gvk.GroupKind().String()] = true
	return nil
}

func isBuiltInGroup(group string) bool {
	return group == definitionGroup || group == "apiregistration.k8s.io" || legacyscheme.Scheme.IsGroupRegistered(group)
}

// unknownKind tells of a kind that its group does not have, and of what looks like it.
func unknownKind(gvk schema.GroupVersionKind) finding {
	message := fmt.Sprintf("no kind %s in %s", gvk.Kind, gvk.GroupVersion())
	var versions []string
	for _, version := range legacyscheme.Scheme.PrioritizedVersionsForGroup(gvk.Group) {
		if legacyscheme.Scheme.Recognizes(version.WithKind(gvk.Kind)) {
			versions = append(versions, version.String())
		}
	}
	found := finding{Rule: ruleUnknownKind, Field: "kind", Message: message}
	if len(versions) > 0 {
		found.Field, found.Hint = "apiVersion", "use "+strings.Join(versions, " or ")
	}
	return found
}

func (c *court) current(number int) []byte {
	if number >= len(c.request.Current) || string(c.request.Current[number]) == "null" {
		return nil
	}
	return wholeNumbers(c.request.Current[number])
}

// builtIn judges an object of a kind of the server's own.
func (c *court) builtIn(kind servedKind, number int, one *judged) []finding {
	found, isGone := lifecycle(kind, c.minor)
	if isGone {
		return found
	}
	if kind.gvk.Group == definitionGroup && c.current(number) == nil {
		content := sha256.Sum256(one.data)
		if _, ok := c.verdicts[content]; !ok {
			c.verdicts[content], _ = c.asNew(kind, one)
		}
		return append(found, c.verdicts[content]...)
	}
	created, ok := c.asNew(kind, one)
	found = append(found, created...)
	if old := c.current(number); old != nil && ok && kind.strategy != nil && !isRecreated(one) {
		found = append(found, c.asUpdate(kind, one, old, created)...)
	}
	return found
}

// asNew says what the server says of a new object; false where it cannot even be read.
func (c *court) asNew(kind servedKind, one *judged) ([]finding, bool) {
	walk := &fieldWalk{schemas: schemas(), minor: c.minor, isSecret: kind.gvk.Kind == "Secret"}
	if known := walk.schemas.kind(kind.gvk); known != nil {
		walk.object(known.Definition, one.fields, "")
	}
	object, unknown, err := kind.decode(one.data)
	found := append(walk.found, c.unknownFields(kind, unknown)...)
	if err != nil {
		if len(walk.wrongTypes) == 0 {
			walk.wrongTypes = []finding{unreadable(err)}
		}
		return append(found, walk.wrongTypes...), false
	}
	one.built, one.admitted = object.DeepCopyObject(), object
	if kind.strategy == nil {
		return found, true
	}
	created, err := kind.create(object)
	if err != nil {
		created = append(created, unreadable(err))
	}
	created = append(created, admit(one.built.(runtime.Object))...)
	for _, entry := range walk.unkeyed {
		if !describes(created, entry.Field) {
			created = append(created, entry)
		}
	}
	return append(withoutRepeated(found, created), created...), true
}

// withoutRepeated leaves out equal keys that the server itself rejects.
func withoutRepeated(found, created []finding) []finding {
	return slices.DeleteFunc(found, func(entry finding) bool {
		return entry.Rule == ruleDuplicateKey && slices.ContainsFunc(created, func(other finding) bool {
			return other.Rule == ruleInvalid && strings.HasPrefix(other.Field, entry.Field) &&
				strings.HasPrefix(other.Message, "Duplicate value")
		})
	})
}

var (
	quoted   = regexp.MustCompile(`field "([^"]*)"`)
	goStruct = regexp.MustCompile(`Go struct field \w+\.(\S+)`)
	tooLarge = regexp.MustCompile(`cannot unmarshal number (\S+) into Go struct field \S+ of type int(\d+)`)
)

// unknownFields tells of fields that the newest minor does not have, and the environment's does not have either.
func (c *court) unknownFields(kind servedKind, errs []error) []finding {
	var found []finding
	for _, err := range errs {
		path := quotedIn(err)
		if !c.hadField(kind.gvk, path) {
			found = append(found, finding{Rule: ruleUnknownField, Field: path, Message: err.Error()})
		}
	}
	return found
}

// quotedIn returns the field that an error names.
func quotedIn(err error) string {
	if match := quoted.FindStringSubmatch(err.Error()); match != nil {
		return match[1]
	}
	return ""
}

// hadField says whether the environment's minor has a field that went later.
func (c *court) hadField(gvk schema.GroupVersionKind, path string) bool {
	kind := schemas().kind(gvk)
	if kind == nil {
		return false
	}
	definition := kind.Definition
	for _, name := range strings.Split(indexes.ReplaceAllString(path, ""), ".") {
		field, ok := schemas().Definitions[definition][name]
		if !ok || !isThere(field.Since, field.Until, c.minor) {
			return false
		}
		definition = strings.TrimLeft(field.Type, "[{#")
	}
	return true
}

var indexes = regexp.MustCompile(`\[[^]]*\]`)

// unreadable tells of what cannot be decoded.
func unreadable(err error) finding {
	found := finding{Rule: ruleInvalid, Message: err.Error()}
	if match := goStruct.FindStringSubmatch(err.Error()); match != nil {
		found.Field = match[1]
	}
	if match := tooLarge.FindStringSubmatch(err.Error()); match != nil {
		found.Message = fmt.Sprintf("%s, expected a whole number of %s bits", match[1], match[2])
	}
	return found
}

// asUpdate says what the server says of taking the place of what is there, and does not say of a new object.
func (c *court) asUpdate(kind servedKind, one *judged, current []byte, created []finding) []finding {
	gvk := headOf(current).gvk()
	if gvk.GroupKind() != kind.gvk.GroupKind() {
		return nil
	}
	before, ok := kind, gvk == kind.gvk
	if !ok {
		before, ok = served(gvk)
	}
	if !ok {
		return nil
	}
	var stored runtime.Object
	if text := parse(current); gvk == kind.gvk && (gvk.Kind == "Pod" || !isPlainChange(text.fields, one.fields)) {
		if written, err := json.Marshal(text.fields); err == nil { // as the other is: the server keeps the bytes of what has no type
			current = written
		}
		stored, _ = kind.applied(one, current, text.fields)
	}
	old, err := before.decodeCurrent(current)
	if err != nil {
		return nil // what is there now is of no use
	}
	object, isObject := one.built.(runtime.Object)
	if !isObject {
		return nil
	}
	object = object.DeepCopyObject() // an update changes it
	if stored != nil {
		object = stored
	}
	updated, err := kind.update(object, old)
	if err != nil {
		return nil
	}
	one.admitted, one.replaced = object, old
	return rejected(updated, created)
}

// rejected keeps what only the update says.
func rejected(updated, created []finding) []finding {
	var found []finding
	for _, entry := range updated {
		if entry.Rule == ruleInvalid && !slices.Contains(created, entry) {
			entry.Rule = ruleImmutable
			entry.Hint = "give it another name, or have it deleted with all that goes with it: by hand, or by Flux with the annotation " + recreates
			found = append(found, entry)
		}
	}
	return found
}

const recreates = "kustomize.toolkit.fluxcd.io/force: enabled"

// isRecreated says whether Flux deletes and creates the object where an update is rejected, or never updates it.
func isRecreated(one *judged) bool {
	metadata, _ := one.fields["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	ssa, _ := annotations["kustomize.toolkit.fluxcd.io/ssa"].(string)
	force, _ := annotations["kustomize.toolkit.fluxcd.io/force"].(string)
	return strings.EqualFold(force, "enabled") || strings.EqualFold(ssa, "IfNotPresent") || strings.EqualFold(ssa, "Ignore")
}

// custom judges an object of a kind that a CRD defines.
func (c *court) custom(definition *definition, number int, one *judged) []finding {
	gvk := one.gvk()
	if served := definition.served(); !slices.Contains(served, gvk.Version) {
		return []finding{{
			Rule: ruleUnknownKind, Field: "apiVersion",
			Message: fmt.Sprintf("the CRD %s serves no version %s", definition.crd.Name, gvk.Version),
			Hint:    "use " + strings.Join(served, " or "),
		}}
	}
	kind, err := definition.version(gvk.Version)
	if err != nil {
		c.unchecked[gvk.GroupKind().String()] = true // the CRD is wrong, which is its own finding
		return nil
	}
	object, unknown, err := kind.decode(one.data)
	if err != nil {
		return []finding{unreadable(err)}
	}
	old := c.current(number)
	walk := &fieldWalk{schemas: schemas(), minor: c.minor}
	walk.object(metadataDefinition, one.metadata(), "metadata")
	found := walk.found
	for _, path := range unknown {
		found = append(found, finding{Rule: ruleUnknownField, Field: path, Message: fmt.Sprintf("unknown field %q", path)})
	}
	created, err := kind.create(object)
	if err != nil {
		created = append(created, unreadable(err))
	}
	one.admitted = object
	found = append(found, created...)
	for _, entry := range listsForTexts(kind.schema, one.fields, "") {
		if !describes(found, entry.Field) {
			found = append(found, entry)
		}
	}
	if old != nil && !isRecreated(one) {
		found = append(found, customUpdate(kind, one, old, created)...)
	}
	return found
}

// metadataDefinition is the schema of what all objects have.
const metadataDefinition = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

func customUpdate(kind *customKind, one *judged, current []byte, created []finding) []finding {
	if headOf(current).gvk() != kind.gvk {
		return nil // of another version, which a conversion webhook may read
	}
	old, _, err := kind.decode(current)
	if err != nil {
		return nil
	}
	object, err := kind.applied(one, current, old)
	if err != nil {
		return nil
	}
	updated, err := kind.update(object, old)
	if err != nil {
		return nil
	}
	one.admitted, one.replaced = object, old
	found := rejected(updated, created)
	for number, entry := range found {
		if strings.HasSuffix(entry.Message, `must be of type object: "null"`) {
			found[number].Message = "cannot be emptied: server-side apply makes null of a map that loses all it had"
			found[number].Hint = "leave it out"
		}
	}
	return found
}
