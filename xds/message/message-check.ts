// Checks every message before it is decoded: a set field that is not supported is refused by the support tables, and
// the protoc-gen-validate rules of Envoy's proto files hold. Both are here and not in the decoders so that no decoder
// can forget one. A decoder may rely on them: what it finds missing was reported here.

import type { Problems } from '../../config/problems.ts';
import { supportTable } from '../support/all-support.ts';
import type { MessageSupport, Refusal } from '../support/support-table.ts';
import { ruleViolation } from './field-rules.ts';
import {
  type Any,
  type FieldDescriptor,
  type FieldRules,
  type Message,
  type MessageDescriptor,
  messageDescriptor,
} from './message-descriptor.ts';
import { isScalarMessage } from './proto-json-scalar.ts';

/** Records what is unsupported or against the rules in `message` and in all that it holds. */
export function checkMessage(message: Message, typeName: string, problems: Problems): void {
  const plan = planOf(typeName);
  for (const key in message) {
    const check = plan.checks.get(key) ?? makeCheck(key, plan);
    if (check.refusal === null) checkField(message[key], check, problems);
    else refuse(message[key], { field: check.field, refusal: check.refusal }, problems);
  }
  for (const field of plan.rulesOfAbsent)
    if (message[field.key] === undefined) {
      problems.at(field.name).add(`${field.name} is required`);
    }
  for (const oneof of plan.requiredOneofs) {
    if (oneof.every((field) => message[field.key] === undefined)) reportMissing(oneof, plan, problems);
  }
}

interface CheckPlan {
  readonly descriptor: MessageDescriptor;
  readonly table: MessageSupport;
  /** By key, made when a field is first set: most fields of most messages never are. */
  readonly checks: Map<string, FieldCheck>;
  /** Fields whose rules can be broken by not being there. */
  readonly rulesOfAbsent: readonly FieldDescriptor[];
  /** Members of the oneofs of which one must be set. */
  readonly requiredOneofs: readonly (readonly FieldDescriptor[])[];
}

/** What is done with a set field. A bootstrap has hundreds of thousands, so all that can be is decided beforehand. */
interface FieldCheck {
  readonly field: FieldDescriptor;
  /** Null when the field is supported or ignored. */
  readonly refusal: string | Refusal | null;
  /** Durations have a rule even without rules of their own. */
  readonly hasRules: boolean;
  readonly isMessage: boolean;
}

type FieldSupport = 'supported' | 'ignored' | string | Refusal;

function makeCheck(key: string, plan: CheckPlan): FieldCheck {
  const field = plan.descriptor.fieldsByName.get(key)!;
  const support = supportOf(field, plan);
  const check = {
    field,
    refusal: support === 'supported' || support === 'ignored' ? null : support,
    hasRules: field.rules !== undefined || field.type === 'google.protobuf.Duration',
    isMessage: field.kind === 'message' && !isScalarMessage(field.type),
  };
  plan.checks.set(key, check);
  return check;
}

const plans = new Map<string, CheckPlan>();

function planOf(typeName: string): CheckPlan {
  let plan = plans.get(typeName);
  if (plan === undefined) {
    plan = makePlan(messageDescriptor(typeName)!, supportTable[typeName]!);
    plans.set(typeName, plan);
  }
  return plan;
}

function makePlan(descriptor: MessageDescriptor, table: MessageSupport): CheckPlan {
  const { fields } = descriptor;
  const isChecked = (field: FieldDescriptor) => field.oneof === undefined && table.supported.includes(field.name);
  return {
    descriptor,
    table,
    checks: new Map(),
    rulesOfAbsent: fields.filter((field) => requires(field) && isChecked(field)),
    requiredOneofs: descriptor.requiredOneofs.map((oneof) => fields.filter((field) => field.oneof === oneof)),
  };
}

/** Whether the field's absence breaks its rules: a scalar without a value is zero or empty, and may not be that. */
function requires(field: FieldDescriptor): boolean {
  const { rules } = field;
  if (rules === undefined) return false;
  if (rules.required === true) return true;
  if (field.shape !== 'single') return (rules.min_items ?? 0) > 0;
  const implied = field.type === 'string' || field.type === 'bytes' ? '' : field.type === 'bool' ? false : 0;
  return field.kind === 'scalar' && ruleViolation(implied, field.type, rules) !== undefined;
}

/** A field without a row is refused: a table that was not kept up must not open a hole. */
function supportOf(field: FieldDescriptor, { table }: CheckPlan): FieldSupport {
  if (table.supported.includes(field.name)) return 'supported';
  if (table.ignored?.[field.name] !== undefined) return 'ignored';
  return table.unsupported?.[field.name] ?? 'it is not known here';
}

function refuse(
  value: unknown,
  refused: { field: FieldDescriptor; refusal: string | Refusal },
  problems: Problems,
): void {
  const { field, refusal } = refused;
  if (typeof refusal === 'string') problems.at(field.name).unsupported(field.name, refusal);
  else if (!refusal.unless.includes(value as string)) {
    problems.at(field.name).unsupported(`${field.name}: ${JSON.stringify(value)}`, refusal.why);
  }
}

function checkField(value: unknown, check: FieldCheck, problems: Problems): void {
  const { field } = check;
  if (field.shape !== 'single') {
    checkElements(value, check, problems.at(field.name));
    return;
  }
  const violation = check.hasRules ? ruleViolation(value, field.type, field.rules ?? noRules) : undefined;
  if (violation !== undefined) problems.at(field.name).add(violation);
  if (check.isMessage) checkNested(value, field, problems.at(field.name));
}

const noRules: FieldRules = {};

function checkElements(value: unknown, check: FieldCheck, problems: Problems): void {
  const { field } = check;
  if (field.shape === 'map') {
    const map = value as Message;
    for (const key in map) checkElement(map[key], check, problems.item(key));
    return;
  }
  const items = value as readonly unknown[];
  const violation = field.rules === undefined ? undefined : ruleViolation(items, field.type, field.rules);
  if (violation !== undefined) problems.add(violation);
  if (!check.isMessage && field.rules?.items === undefined) return;
  for (let index = 0; index < items.length; index++) checkElement(items[index], check, problems.item(index));
}

function checkElement(value: unknown, { field, isMessage }: FieldCheck, problems: Problems): void {
  const rules = field.rules?.items;
  const violation = rules === undefined ? undefined : ruleViolation(value, field.type, rules);
  if (violation !== undefined) problems.add(violation);
  if (isMessage) checkNested(value, field, problems);
}

function checkNested(value: unknown, field: FieldDescriptor, problems: Problems): void {
  if (field.type === 'google.protobuf.Any') checkAny(value as Any, problems);
  else if (!field.type.startsWith('google.protobuf.')) checkMessage(value as Message, field.type, problems);
}

/** An unknown type is refused by the decoder that would have used it, which knows what is expected there. */
function checkAny(any: Any, problems: Problems): void {
  if (any.message !== undefined && messageDescriptor(any.typeName) !== undefined) {
    checkMessage(any.message as Message, any.typeName, problems);
  }
}

function reportMissing(oneof: readonly FieldDescriptor[], plan: CheckPlan, problems: Problems): void {
  const offered = oneof.filter((field) => supportOf(field, plan) === 'supported').map(({ name }) => name);
  problems.add(offered.length === 1 ? `${offered[0]} is required` : `one of ${offered.join(', ')} is required`);
}
