package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

// judge is what lives as long as the process: CRDs that were read, and what was said of each.
type judge struct {
	definitions map[[sha256.Size]byte]*definition
	verdicts    map[[sha256.Size]byte][]finding
	trees       map[string]definitions
	policies    map[[sha256.Size]byte]*admissionPolicy
	recent      recent
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
	// brings: some of the objects are CRDs themselves, and others may be of their kinds.
	brings bool
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

	// What was said of it, once it is judged; isUnchecked: nobody defines its kind.
	content     [sha256.Size]byte
	isJudged    bool
	isUnchecked bool
	found       []finding
	denied      map[*admissionPolicy][]finding
}

// verdict judges the objects of a request.
func (j *judge) verdict(request *judgeRequest, files map[string]string) verdict {
	court := &court{judge: j, request: request, minor: schemas().minor(request.Kubernetes), unchecked: map[string]bool{}}
	court.known = definitions{}
	for kind, found := range j.tree(request.Definitions, files) {
		court.known[kind] = found
	}
	for number, data := range request.Objects {
		one := court.object(number)
		court.objects = append(court.objects, one)
		if one.gvk().Group == definitionGroup {
			court.known.add(j.definition(data)) // CRDs of the same output go first
			court.brings = true
		}
	}
	for number, one := range court.objects {
		if court.brings {
			one = court.read(number)
			court.objects[number] = one
		}
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

// object returns an object of the request: as it was judged before among the same CRDs, in the place of the same object, or
// read now.
func (c *court) object(number int) *judged {
	var current []byte
	if number < len(c.request.Current) {
		current = c.request.Current[number]
	}
	minor := []byte(strconv.Itoa(c.minor))
	content := contentOf(minor, []byte(c.request.Definitions), c.request.Objects[number], current)
	if one := c.recent.find(content); one != nil {
		return one
	}
	one := c.read(number)
	one.content = content
	return one
}

func (c *court) read(number int) *judged {
	one := parse(c.request.Objects[number])
	if number < len(c.request.Current) && string(c.request.Current[number]) != "null" {
		one.current = c.request.Current[number]
	}
	return one
}

// look says what is wrong with one object.
func (c *court) look(number int, one *judged) {
	if !one.isJudged {
		one.found, one.isJudged = c.said(one), true
		if !c.brings {
			c.recent.keep(one.content, one)
		}
	}
	for _, entry := range one.found {
		entry.Object = number
		c.findings = append(c.findings, entry)
	}
	if one.isUnchecked {
		c.unchecked[one.gvk().GroupKind().String()] = true
	}
}

// said judges one object. One that SOPS encrypted is another object when Flux applies it: nothing can be said of it.
func (c *court) said(one *judged) []finding {
	if one.isEncrypted {
		return nil
	}
	found := append(notApplied(one), c.guarded(one)...)
	slices.SortStableFunc(found, func(one, other finding) int { // the server walks maps, each time in another order
		return cmp.Or(cmp.Compare(one.Field, other.Field), cmp.Compare(one.Rule, other.Rule), cmp.Compare(one.Message, other.Message))
	})
	if len(found) > maxFindings {
		found = append(found[:maxFindings:maxFindings], finding{
			Rule: ruleInvalid, Message: fmt.Sprintf("and %d more findings", len(found)-maxFindings),
		})
	}
	for number := range found {
		found[number].Message = clip(readable(found[number].Message), 600)
		found[number].Field = clip(found[number].Field, 300)
	}
	return found
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
func (c *court) guarded(one *judged) (found []finding) {
	defer func() {
		if panicked := recover(); panicked != nil {
			found = []finding{{Rule: ruleInvalid, Message: fmt.Sprintf("cannot be judged: %v", panicked)}}
		}
	}()
	gvk := one.gvk()
	if kind, ok := served(gvk); ok {
		return c.builtIn(kind, one)
	}
	if definition, ok := c.known[gvk.GroupKind()]; ok {
		return c.custom(definition, one)
	}
	if isBuiltInGroup(gvk.Group) {
		return []finding{unknownKind(gvk, c.minor)}
	}
	one.isUnchecked = true
	return nil
}

func isBuiltInGroup(group string) bool {
	return group == definitionGroup || group == "apiregistration.k8s.io" || legacyscheme.Scheme.IsGroupRegistered(group)
}

// unknownKind tells of a kind that its group does not have, and of what looks like it.
func unknownKind(gvk schema.GroupVersionKind, minor int) finding {
	message := fmt.Sprintf("no kind %s in %s", gvk.Kind, gvk.GroupVersion())
	var versions []string
	for _, version := range legacyscheme.Scheme.PrioritizedVersionsForGroup(gvk.Group) {
		if kind, ok := served(version.WithKind(gvk.Kind)); ok && !isGone(kind, minor) {
			versions = append(versions, version.String())
		}
	}
	found := finding{Rule: ruleUnknownKind, Field: "kind", Message: message}
	if len(versions) > 0 {
		found.Field, found.Hint = "apiVersion", "use "+strings.Join(versions, " or ")
	}
	return found
}

func isGone(kind servedKind, minor int) bool {
	_, isGone := lifecycle(kind, minor)
	return isGone
}

// notStored tells of a kind that is only spoken to the server or by it: a list, a review, a Scale.
func notStored(gvk schema.GroupVersionKind) finding {
	return finding{
		Rule: ruleUnknownKind, Field: "kind",
		Message: fmt.Sprintf("%s in %s is no kind of which a server keeps objects, so none can be applied", gvk.Kind, gvk.GroupVersion()),
	}
}

// builtIn judges an object of a kind of the server's own.
func (c *court) builtIn(kind servedKind, one *judged) []finding {
	found, isGone := lifecycle(kind, c.minor)
	if isGone {
		return found
	}
	if kind.strategy == nil {
		return []finding{notStored(kind.gvk)}
	}
	if kind.gvk.Group == definitionGroup && one.current == nil {
		content := sha256.Sum256(one.data)
		if _, ok := c.verdicts[content]; !ok {
			c.verdicts[content], _ = c.asNew(kind, one)
		}
		return append(found, c.verdicts[content]...)
	}
	created, ok := c.asNew(kind, one)
	found = append(found, created...)
	if one.current != nil && ok && !isRecreated(one) {
		found = append(found, asUpdate(kind, one, created)...)
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
			walk.wrongTypes = []finding{one.unreadable(err)}
		}
		return append(found, walk.wrongTypes...), false
	}
	one.built, one.admitted = object.DeepCopyObject(), object
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
	if found, ok := errors.AsType[*field.Error](err); ok {
		return finding{Rule: ruleInvalid, Field: found.Field, Message: found.ErrorBody()}
	}
	found := finding{Rule: ruleInvalid, Message: err.Error()}
	if match := goStruct.FindStringSubmatch(err.Error()); match != nil {
		found.Field = match[1]
	}
	return found
}

// unreadable tells also where a number stands that its type cannot hold: decoding leaves out the numbers of items.
func (one *judged) unreadable(err error) finding {
	found := unreadable(err)
	if match := tooLarge.FindStringSubmatch(err.Error()); match != nil {
		found.Message = fmt.Sprintf("%s, expected a whole number of %s bits", match[1], match[2])
		found.Field = orElse(placeOf(one.fields, strings.Split(found.Field, "."), match[1], ""), found.Field)
	}
	return found
}

// placeOf returns where a number stands below a value, by the names on the way there.
func placeOf(value any, names []string, number, path string) string {
	switch value := value.(type) {
	case map[string]any:
		if len(names) > 0 {
			return placeOf(value[names[0]], names[1:], number, join(path, names[0]))
		}
	case []any:
		for at, item := range value {
			if found := placeOf(item, names, number, fmt.Sprintf("%s[%d]", path, at)); found != "" {
				return found
			}
		}
	case json.Number:
		if len(names) == 0 && value.String() == number {
			return path
		}
	}
	return ""
}

// asUpdate says what the server says of taking the place of what is there, and does not say of a new object.
func asUpdate(kind servedKind, one *judged, created []finding) []finding {
	object, isObject := one.built.(runtime.Object)
	text := parse(one.current)
	if !isObject || text.gvk().GroupKind() != kind.gvk.GroupKind() || isForced(text) {
		return nil
	}
	object, old, err := kind.replacing(one, object, text)
	if err != nil {
		return nil // what is there now is of no use
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

const recreates = fluxMarks + "force: enabled"

const fluxMarks = "kustomize.toolkit.fluxcd.io/"

// isRecreated says whether Flux deletes and creates the object where an update is rejected, or never updates it.
func isRecreated(one *judged) bool {
	return isForced(one) || isMarked(one.fields, "ssa", "IfNotPresent") || isMarked(one.fields, "ssa", "Ignore") ||
		isMarked(one.fields, "reconcile", "disabled")
}

// isForced says whether Flux recreates the object. Flux also reads the existing object.
func isForced(one *judged) bool { return isMarked(one.fields, "force", "enabled") }

// isMarked says whether a label or an annotation tells Flux something, in any case of letters, as Flux reads both.
func isMarked(fields map[string]any, name, value string) bool {
	metadata, _ := fields["metadata"].(map[string]any)
	for _, place := range []string{"labels", "annotations"} {
		marks, _ := metadata[place].(map[string]any)
		if mark, _ := marks[fluxMarks+name].(string); strings.EqualFold(mark, value) {
			return true
		}
	}
	return false
}

// custom judges an object of a kind that a CRD defines.
func (c *court) custom(definition *definition, one *judged) []finding {
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
		one.isUnchecked = true // the CRD is wrong, which is its own finding
		return nil
	}
	object, unknown, err := kind.decode(one.data)
	if err != nil {
		return []finding{unreadable(err)}
	}
	fresh := object
	if one.current != nil {
		fresh = object.DeepCopy() // which is changed when it is judged
	}
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
	if one.current != nil && !isRecreated(one) {
		found = append(found, customUpdate(kind, one, fresh, created)...)
	}
	return found
}

// metadataDefinition is the schema of what all objects have.
const metadataDefinition = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

func customUpdate(kind *customKind, one *judged, fresh *unstructured.Unstructured, created []finding) []finding {
	text := parse(one.current)
	if text.gvk() != kind.gvk || isForced(text) {
		return nil // of another version, which a conversion webhook may read
	}
	old, _, err := kind.decode(text.data)
	if err != nil {
		return nil
	}
	object, err := kind.applied(one, fresh, text.fields, old)
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
