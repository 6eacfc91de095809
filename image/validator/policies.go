package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/google/cel-go/common/ast"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/generic"
	"k8s.io/apiserver/pkg/admission/plugin/policy/matching"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

// An admissionPolicy is a ValidatingAdmissionPolicy of the repository, compiled once in the process's life. Problems are why it
// cannot be used here.
type admissionPolicy struct {
	name      string
	spec      admissionv1.ValidatingAdmissionPolicySpec
	accessor  generic.PolicyAccessor
	validator validating.Validator
	problems  []finding
}

const policyGroup = "admissionregistration.k8s.io"

// policy reads and compiles a policy once.
func (j *judge) policy(data []byte) *admissionPolicy {
	content := sha256.Sum256(data)
	if _, ok := j.policies[content]; !ok {
		j.policies[content] = readPolicy(data)
	}
	return j.policies[content]
}

// problemsOf says why policies cannot be used, by their place in the request.
func (j *judge) problemsOf(request *policyRequest) verdict {
	found := []finding{}
	for number, data := range request.Policies {
		for _, entry := range j.policy(data).problems {
			entry.Object, entry.Message = number, clip(entry.Message, 2000)
			found = append(found, entry)
		}
	}
	return verdict{Findings: found, Unchecked: []string{}}
}

// readPolicy asks the server's own code whether a policy is right, then looks for what has no meaning without a cluster.
func readPolicy(data []byte) *admissionPolicy {
	one := parse(data)
	kind, ok := served(one.gvk())
	if !ok || one.gvk().GroupKind().String() != "ValidatingAdmissionPolicy."+policyGroup {
		return &admissionPolicy{problems: []finding{unknownKind(one.gvk(), schemas().Newest)}}
	}
	object, unknown, err := kind.decode(data)
	if err != nil {
		return &admissionPolicy{problems: []finding{unreadable(err)}}
	}
	found := &admissionPolicy{}
	for _, err := range unknown {
		found.problems = append(found.problems, finding{Rule: ruleUnknownField, Field: quotedIn(err), Message: err.Error()})
	}
	spec := &admissionv1.ValidatingAdmissionPolicy{}
	if err := legacyscheme.Scheme.Convert(object, spec, nil); err != nil {
		return &admissionPolicy{problems: append(found.problems, unreadable(err))}
	}
	created, err := kind.create(object)
	if err != nil {
		created = append(created, unreadable(err))
	}
	for _, entry := range created {
		if entry.Rule == ruleInvalid {
			found.problems = append(found.problems, entry)
		}
	}
	found.problems = append(found.problems, withoutCluster(spec)...)
	found.name, found.spec, found.accessor = spec.Name, spec.Spec, validating.NewValidatingAdmissionPolicyAccessor(spec)
	if len(found.problems) == 0 {
		found.validator, err = compilePolicy(spec)
		if err != nil {
			found.problems = append(found.problems, finding{Rule: ruleInvalid, Field: "spec", Message: err.Error()})
		}
	}
	return found
}

// withoutCluster tells of what only a cluster can answer.
func withoutCluster(policy *admissionv1.ValidatingAdmissionPolicy) []finding {
	var found []finding
	refuse := func(path, what string) {
		found = append(found, finding{Rule: ruleInvalid, Field: path, Message: what})
	}
	if policy.Spec.ParamKind != nil {
		refuse("spec.paramKind", "paramKind: parameters are objects of a cluster, and none is asked here")
	}
	if len(policy.Spec.AuditAnnotations) > 0 {
		refuse("spec.auditAnnotations", "auditAnnotations: there is no audit log here")
	}
	if constraints := policy.Spec.MatchConstraints; constraints != nil {
		if !knowsNamespaces(constraints.NamespaceSelector) {
			refuse("spec.matchConstraints.namespaceSelector", "namespaceSelector: of a namespace only the label "+
				corev1.LabelMetadataName+" is known here")
		}
		if !canMatch(constraints.ResourceRules) {
			refuse("spec.matchConstraints.resourceRules", "resourceRules: no rule is for objects that are created, updated or "+
				"deleted, only for subresources or connections, and there are none here")
		}
	}
	for _, expression := range expressionsOf(policy) {
		if name := unknownHere(expression.text); name != "" {
			refuse(expression.path, name+" has no value here, since nobody asks a cluster")
		}
	}
	return found
}

func knowsNamespaces(selector *metav1.LabelSelector) bool {
	if selector == nil {
		return true
	}
	for name := range selector.MatchLabels {
		if name != corev1.LabelMetadataName {
			return false
		}
	}
	for _, requirement := range selector.MatchExpressions {
		if requirement.Key != corev1.LabelMetadataName {
			return false
		}
	}
	return true
}

// canMatch says whether one of the rules is for something that stands in a repository.
func canMatch(all []admissionv1.NamedRuleWithOperations) bool {
	for _, rule := range all {
		happens, isObject := false, false
		for _, operation := range rule.Operations {
			happens = happens || operation != admissionv1.Connect
		}
		for _, resource := range rule.Resources {
			_, subresource, _ := strings.Cut(resource, "/")
			isObject = isObject || subresource == "" || subresource == "*"
		}
		if happens && isObject {
			return true
		}
	}
	return len(all) == 0
}

type placedExpression struct{ path, text string }

func expressionsOf(policy *admissionv1.ValidatingAdmissionPolicy) []placedExpression {
	var all []placedExpression
	spec := field.NewPath("spec")
	for number, one := range policy.Spec.Variables {
		all = append(all, placedExpression{spec.Child("variables").Index(number).Child("expression").String(), one.Expression})
	}
	for number, one := range policy.Spec.MatchConditions {
		path := spec.Child("matchConditions").Index(number).Child("expression")
		all = append(all, placedExpression{path.String(), one.Expression})
	}
	for number, one := range policy.Spec.Validations {
		path := spec.Child("validations").Index(number)
		all = append(all, placedExpression{path.Child("expression").String(), one.Expression})
		all = append(all, placedExpression{path.Child("messageExpression").String(), one.MessageExpression})
	}
	return all
}

// unknownHere returns the first name in an expression whose value only a cluster or its request has.
func unknownHere(text string) string {
	env, err := policyEnvironment().Env(environment.StoredExpressions)
	if err != nil || text == "" {
		return ""
	}
	parsed, issues := env.Parse(text)
	if issues != nil && issues.Err() != nil {
		return "" // which the server's own code says
	}
	found := ""
	ast.PreOrderVisit(parsed.NativeRep().Expr(), ast.NewExprVisitor(func(one ast.Expr) {
		name := ""
		switch one.Kind() {
		case ast.IdentKind:
			name = one.AsIdent()
		case ast.SelectKind:
			if operand := one.AsSelect().Operand(); operand.Kind() == ast.IdentKind {
				name = operand.AsIdent() + "." + one.AsSelect().FieldName()
			}
		}
		if found == "" && isUnknownHere[name] {
			found = name
		}
	}))
	return found
}

var isUnknownHere = map[string]bool{
	cel.AuthorizerVarName: true, cel.NamespaceVarName: true, cel.RequestVarName + ".userInfo": true,
	cel.RequestVarName + ".options": true, cel.RequestVarName + ".dryRun": true,
}

func policyEnvironment() *environment.EnvSet {
	return environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())
}

// compilePolicy does what the server's admission plugin does with a policy, which keeps that to itself.
func compilePolicy(policy *admissionv1.ValidatingAdmissionPolicy) (validating.Validator, error) {
	compiler, err := cel.NewCompositedCompiler(policyEnvironment())
	if err != nil {
		return nil, err
	}
	none, spec := cel.OptionalVariableDeclarations{}, policy.Spec
	for number := range spec.Variables {
		variable := &validating.Variable{Name: spec.Variables[number].Name, Expression: spec.Variables[number].Expression}
		compiler.CompileAndStoreVariable(variable, none, environment.StoredExpressions)
	}
	validations := make([]cel.ExpressionAccessor, len(spec.Validations))
	messages := make([]cel.ExpressionAccessor, len(spec.Validations))
	for number, one := range spec.Validations {
		validations[number] = &validating.ValidationCondition{Expression: one.Expression, Message: one.Message, Reason: one.Reason}
		if one.MessageExpression != "" {
			messages[number] = &validating.MessageExpressionCondition{MessageExpression: one.MessageExpression}
		}
	}
	conditions := make([]cel.ExpressionAccessor, len(spec.MatchConditions))
	for number := range spec.MatchConditions {
		conditions[number] = (*matchconditions.MatchCondition)(&spec.MatchConditions[number])
	}
	compiled := func(all []cel.ExpressionAccessor) cel.ConditionEvaluator {
		return compiler.CompileCondition(all, none, environment.StoredExpressions)
	}
	var matcher matchconditions.Matcher
	if len(conditions) > 0 {
		matcher = matchconditions.NewMatcher(compiled(conditions), spec.FailurePolicy, "policy", "validate", policy.Name)
	}
	return validating.NewValidator(
		compiled(validations), matcher, compiled(nil), compiled(messages), spec.FailurePolicy, nil,
	), nil
}

// policies says which policies of a request an object does not keep. What cannot be evaluated is not kept, unless the
// policy says that failures are to be ignored.
func (c *court) policies(number int, one *judged) {
	for _, data := range c.request.Policies {
		policy := c.policy(data)
		denied, isAsked := one.denied[policy]
		if !isAsked {
			denied = c.kept(policy, one)
			if one.denied == nil {
				one.denied = map[*admissionPolicy][]finding{}
			}
			one.denied[policy] = denied
		}
		for _, entry := range denied {
			entry.Object, entry.Rule = number, policyRule+policy.name
			entry.Message = clip(entry.Message, 600)
			c.findings = append(c.findings, entry)
		}
	}
}

func (c *court) kept(policy *admissionPolicy, one *judged) (found []finding) {
	defer func() {
		if panicked := recover(); panicked != nil {
			found = []finding{{Field: "spec", Message: fmt.Sprintf("cannot be evaluated: %v", panicked)}}
		}
	}()
	if policy.validator == nil {
		return []finding{{Field: "spec", Message: "cannot be evaluated, since the policy is wrong"}}
	}
	asked := c.admissionOf(one)
	if rules.IsExemptAdmissionConfigurationResource(asked.attributes) {
		return nil
	}
	matches, resource, kind, err := policyMatcher.DefinitionMatches(asked.attributes, asked.interfaces, policy.accessor)
	if err == nil && !matches {
		return nil
	}
	var versioned *admission.VersionedAttributes
	if err == nil {
		versioned, err = admission.NewVersionedAttributes(asked.attributes, kind, asked.interfaces)
	}
	if err != nil {
		return []finding{{Field: "spec.matchConstraints", Message: fmt.Sprintf("cannot be evaluated: %v", err)}}
	}
	result := policy.validator.Validate(
		context.Background(), resource, versioned, nil, nil, celconfig.RuntimeCELCostBudget, nil,
	)
	for number, decision := range result.Decisions {
		if decision.Action == validating.ActionDeny {
			found = append(found, policy.findingOf(decision, number, isSecret(one)))
		}
	}
	return found
}

// findingOf says what a validation found. Nothing that is computed of a Secret is shown.
func (p *admissionPolicy) findingOf(decision validating.PolicyDecision, number int, isSecret bool) finding {
	path := field.NewPath("spec", "validations").Index(number).Child("expression").String()
	message := decision.Message
	switch {
	case decision.Evaluation == validating.EvalError && isSecret:
		message = "cannot be evaluated"
	case decision.Evaluation == validating.EvalError:
		message = "cannot be evaluated: " + message
	case isSecret:
		message = p.fixedMessage(number)
	}
	return finding{Field: path, Message: message}
}

func (p *admissionPolicy) fixedMessage(number int) string {
	one := p.spec.Validations[number]
	if message := strings.TrimSpace(one.Message); message != "" {
		return message
	}
	return "failed expression: " + strings.TrimSpace(one.Expression)
}

var policyMatcher = generic.NewPolicyMatcher(matching.NewMatcher(namespaces{}, nil))

// namespaces knows of each namespace what every namespace has: its name as a label.
type namespaces struct{}

func (namespaces) Get(name string) (*corev1.Namespace, error) {
	own := map[string]string{corev1.LabelMetadataName: name}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: own}}, nil
}

func (namespaces) List(labels.Selector) ([]*corev1.Namespace, error) { return nil, nil }
