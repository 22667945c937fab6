// Writes `src/openapi.ts`, the types of the REST interface, from `openapi.json`; with `--check` it
// compares instead. Knows only what that document uses.

import { readFileSync, writeFileSync } from 'node:fs';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly required?: boolean; readonly schema: Schema }[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const SOURCE = '../openapi.json';
const TARGET = 'src/openapi.ts';

function typeOf(schema: Schema, indent: string): string {
  if (schema.$ref) return schema.$ref.split('/').at(-1) ?? 'unknown';
  if (schema.oneOf) return [...new Set(schema.oneOf.map((one) => typeOf(one, indent)))].join(' | ');
  if (schema.enum) return schema.enum.map((value) => `'${value}'`).join(' | ');
  if (schema.items) return `readonly ${group(typeOf(schema.items, indent))}[]`;
  if (schema.properties) return objectOf(schema, indent);
  const plain: Record<string, string> = { integer: 'number', string: 'string', boolean: 'boolean', null: 'null' };
  return plain[schema.type ?? ''] ?? 'unknown';
}

function group(type: string): string {
  return type.includes('|') ? `(${type})` : type;
}

function objectOf({ properties = {}, required = [] }: Schema, indent: string): string {
  const inner = `${indent}  `;
  const fields = Object.entries(properties).map(([name, schema]) => {
    const optional = required.includes(name) ? '' : '?';
    const type = typeOf(schema, inner) + (optional ? ' | undefined' : '');
    return `${comment(schema.description, inner)}${inner}readonly ${name}${optional}: ${type};\n`;
  });
  return `{\n${fields.join('')}${indent}}`;
}

function comment(text: string | undefined, indent: string): string {
  return text === undefined ? '' : `${indent}/** ${text.replaceAll('\n', ' ')} */\n`;
}

/** A page repeats the schema of its items: their name says more. */
function declared(name: string, schema: Schema, known: ReadonlySet<string>): string {
  const item = name.startsWith('Page_') ? name.slice('Page_'.length) : '';
  if (known.has(item)) return `/** A page of ${item}. */\nexport type ${name} = Page<${item}>;\n`;
  return `${comment(schema.description, '')}export type ${name} = ${typeOf(schema, '')};\n`;
}

function operation({ summary, parameters = [], requestBody, responses }: Operation, path: string): string {
  const given = ['path', 'query'].flatMap((where) => {
    const of = parameters.filter((parameter) => parameter.in === where);
    if (of.length === 0) return [];
    const optional = of.some(({ required }) => required) ? '' : '?';
    const fields = of.map(({ name, required, schema }) => `readonly ${name}${required ? '' : '?'}: ${typeOf(schema, '')}`);
    return [`readonly ${where}${optional}: { ${fields.join('; ')} }`];
  });
  const body = schemaOf(requestBody);
  if (body) given.push(`readonly body: ${typeOf(body, '      ')}`);
  const answers = Object.entries(responses)
    .filter(([status]) => status.startsWith('2'))
    .map(([, response]) => schemaOf(response));
  const result = [...new Set(answers.map((answer) => (answer ? typeOf(answer, '      ') : 'undefined')))].join(' | ');
  return `${comment(summary, '    ')}    '${path}': { readonly given: ${given.length > 0 ? `{ ${given.join('; ')} }` : '{}'}; readonly result: ${result} };\n`;
}

function schemaOf(content: Content | undefined): Schema | undefined {
  return Object.values(content?.content ?? {})[0]?.schema;
}

function render({ paths, components }: Document): string {
  const names = new Set(Object.keys(components.schemas));
  const types = Object.entries(components.schemas).map(([name, schema]) => declared(name, schema, names));
  const methods = [...new Set(Object.values(paths).flatMap((of) => Object.keys(of)))].sort();
  const requests = methods.map((method) => {
    const of = Object.entries(paths).flatMap(([path, operations]) => {
      const found = operations[method];
      return found ? [operation(found, path)] : [];
    });
    return `  ${method.toUpperCase()}: {\n${of.join('')}  };\n`;
  });
  return [
    '// The types of the REST interface. Generated from `openapi.json` by `build/openapi.ts`; not to be edited.\n',
    'interface Page<Item> {\n  readonly items: readonly Item[];\n  readonly next_cursor: string | null;\n}\n',
    ...types,
    `/** What each request is given and answers. */\nexport interface Requests {\n${requests.join('')}}\n`,
  ].join('\n');
}

const rendered = render(JSON.parse(readFileSync(SOURCE, 'utf8')) as Document);
if (process.argv.includes('--check')) {
  if (readFileSync(TARGET, 'utf8') !== rendered) {
    process.stderr.write(`${TARGET} is not what ${SOURCE} says: run \`npm run generate\`\n`);
    process.exitCode = 1;
  }
} else {
  writeFileSync(TARGET, rendered);
}
