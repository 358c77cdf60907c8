-- Tools: prompt and parameters fit together, and version rises with what changes results.
begin;
select plan(46);

create function tests.try_tool(change jsonb) returns void language sql as $$
  insert into public.tools (key, name, category, kind, prompt, model, parameters, result_schema)
  select t.key, t.name, t.category, t.kind, t.prompt, t.model, t.parameters, t.result_schema
  from jsonb_populate_record(
    null::public.tools,
    '{
      "key": "paint", "name": "Paint", "category": "fun", "kind": "image", "model": "m",
      "prompt": "Paint it {{color}}.",
      "parameters": {
        "type": "object",
        "properties": {"color": {"type": "string", "maxLength": 20}},
        "required": ["color"],
        "additionalProperties": false
      }
    }'::jsonb || try_tool.change
  ) as t
$$;
create function tests.with_properties(properties text, required text default '[]')
  returns jsonb
  language sql
return jsonb_build_object(
  'prompt', 'Paint it.',
  'parameters', jsonb_build_object(
    'type', 'object', 'properties', properties::jsonb, 'required', required::jsonb,
    'additionalProperties', false
  )
);

-- When a tool has a fault
create temporary table faults (change jsonb, message text);
insert into faults
values
  (
    '{"prompt": "Paint {{shape}} {{color}}."}',
    'The prompt has {{shape}}, and no parameter has this name.'
  ),
  (
    '{"prompt": "Paint {{ color }}."}',
    'The prompt has {{ color }}, and no parameter has this name.'
  ),
  (
    '{"prompt": "Paint it {{{color}}}."}',
    'The prompt has braces that enclose no parameter: write {{name}}.'
  ),
  (
    '{"prompt": "Paint it {{."}',
    'The prompt has braces that enclose no parameter: write {{name}}.'
  ),
  ('{"parameters": []}', 'The schema is not an object.'),
  (
    '{"parameters": {"type": "object", "additionalProperties": false, "oneOf": []}}',
    'The schema has the keyword "oneOf": it has only type, description, properties, required, '
    'additionalProperties.'
  ),
  ('{"parameters": {"additionalProperties": false}}', 'The type of the schema is not "object".'),
  ('{"parameters": {"type": "object"}}', 'The schema lacks "additionalProperties": false.'),
  (
    '{"parameters": {"type": "object", "additionalProperties": true}}',
    'The schema lacks "additionalProperties": false.'
  ),
  (
    '{"parameters": {"type": "object", "additionalProperties": false, "description": 1}}',
    'The schema needs a string as description.'
  ),
  (
    '{"parameters": {"type": "object", "additionalProperties": false, "properties": []}}',
    'The properties of the schema are not an object.'
  ),
  (
    '{"parameters": {"type": "object", "additionalProperties": false, "required": "color"}}',
    'The keyword "required" of the schema is not a list.'
  ),
  (
    tests.with_properties('{}', '["shape"]'),
    'The schema requires "shape", and no parameter has this name.'
  ),
  (
    tests.with_properties('{"a": {"type": "boolean"}}', '[["a"]]'),
    'The schema requires "["a"]", and no parameter has this name.'
  ),
  (
    tests.with_properties('{"Color": {"type": "boolean"}}'),
    'Parameter "Color" has a name that is not in snake_case.'
  ),
  (tests.with_properties('{"a": "string"}'), 'Parameter "a" is not an object.'),
  (
    tests.with_properties('{"a": {"type": "array"}}'),
    'Parameter "a" needs a type: string, integer, number or boolean.'
  ),
  (
    tests.with_properties('{"a": {"maxLength": 3}}'),
    'Parameter "a" needs a type: string, integer, number or boolean.'
  ),
  (
    tests.with_properties('{"a": {"type": "string", "maxLength": 3, "pattern": "^a"}}'),
    'Parameter "a" has the keyword "pattern": type string has only type, description, default, '
    'enum, maxLength.'
  ),
  (
    tests.with_properties('{"a": {"type": "string", "enum": ["x"], "minimum": 3}}'),
    'Parameter "a" has the keyword "minimum": type string has only type, description, default, '
    'enum, maxLength.'
  ),
  (
    tests.with_properties('{"a": {"type": "integer", "enum": [1], "maxLength": 3}}'),
    'Parameter "a" has the keyword "maxLength": type integer has only type, description, default, '
    'enum, minimum, maximum.'
  ),
  (
    tests.with_properties('{"a": {"type": "string", "enum": []}}'),
    'Parameter "a" needs a list of values as enum.'
  ),
  (
    tests.with_properties('{"a": {"type": "string", "enum": "x"}}'),
    'Parameter "a" needs a list of values as enum.'
  ),
  (
    tests.with_properties('{"a": {"type": "string", "enum": ["x", 1]}}'),
    'Parameter "a" has a value in its enum of another type than string.'
  ),
  (
    tests.with_properties('{"a": {"type": "integer", "enum": [1.5]}}'),
    'Parameter "a" has a value in its enum of another type than integer.'
  ),
  (
    tests.with_properties('{"a": {"type": "integer", "minimum": "1", "maximum": 2}}'),
    'Parameter "a" needs numbers as limits.'
  ),
  (
    tests.with_properties('{"a": {"type": "integer", "minimum": 3, "maximum": 2}}'),
    'Parameter "a" has a minimum that is larger than its maximum.'
  ),
  (
    tests.with_properties('{"a": {"type": "string", "maxLength": 2001}}'),
    'Parameter "a" has a maxLength that is not from 1 to 2000.'
  ),
  (
    tests.with_properties('{"a": {"type": "string"}}'),
    'Parameter "a" needs an enum or a maxLength.'
  ),
  (
    tests.with_properties('{"a": {"type": "number", "minimum": 1}}'),
    'Parameter "a" needs an enum, or a minimum and a maximum.'
  ),
  (
    tests.with_properties('{"a": {"type": "boolean", "description": {}}}'),
    'Parameter "a" needs a string as description.'
  ),
  (
    tests.with_properties('{"a": {"type": "string", "maxLength": 2, "default": "abc"}}'),
    'Parameter "a" has a default that the schema forbids.'
  ),
  (
    tests.with_properties('{"a": {"type": "number", "minimum": 0, "maximum": 1, "default": 1.1}}'),
    'Parameter "a" has a default that the schema forbids.'
  ),
  (
    tests.with_properties('{"a": {"type": "string", "enum": ["x"], "default": null}}'),
    'Parameter "a" has a default that the schema forbids.'
  ),
  (
    tests.with_properties('{"a": {"type": "boolean"}}') || '{"prompt": "{{a}}"}',
    'The prompt has {{a}}: require this parameter, or give it a default.'
  ),
  (
    '{"kind": "analysis", "result_schema": []}',
    'An analysis needs a result_schema of type "object".'
  );
select is(
  tests.refusal_of(format('select tests.try_tool(%L)', f.change)),
  jsonb_build_object(
    'code', 'PT422',
    'slug', 'tool_invalid',
    'message', format('Tool "paint": %s', f.message),
    'hint', 'Correct prompt, parameters or result_schema, as docs/guide/studio.md describes them.'
  ),
  format('refuses %s', f.change)
)
from faults as f;

-- When a tool has every keyword
select lives_ok(
  format('select tests.try_tool(%L)', tests.with_properties(
    '{
      "a": {"type": "string", "enum": ["é", "b"], "maxLength": 1, "default": "é"},
      "b": {"type": "integer", "minimum": 1, "maximum": 3, "default": 3.0, "description": "d"},
      "c": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
      "d": {"type": "boolean", "default": false},
      "e": {"type": "string", "maxLength": 2000},
      "f": {"type": "number", "enum": [1, 1.5]}
    }',
    '["e"]'
  ) || '{"prompt": "{{a}}{{b}} {{c}} {{d}} {{e}} {{a}}"}'),
  'accepts a tool that has every keyword'
);
select throws_ok(
  $$ select tests.try_tool('{"key": "b", "kind": "analysis"}') $$,
  'PT422', null, 'refuses an analysis without a schema of its result'
);
select throws_ok(
  $$ select tests.try_tool('{"key": "b", "result_schema": {"type": "object"}}') $$,
  '23514', null, 'refuses an image with a schema of a result'
);
select throws_ok(
  'select tests.try_tool(tests.with_properties(''{}''))',
  '23505', null, 'refuses a second tool with the same key'
);

-- When service_role changes a tool
select tests.become('service_role');
update public.tools set name = 'Paint it', enabled = false, cost = 2 where key = 'paint';
select results_eq(
  $$ select version, enabled, cost from public.tools where key = 'paint' $$,
  'values (1, false, 2)',
  'keeps the version when name, price or state changes'
);
update public.tools set prompt = prompt || ' Now.', model = 'n' where key = 'paint';
select results_eq(
  $$ select version from public.tools where key = 'paint' $$,
  'values (2)',
  'raises the version when prompt and model change'
);
update public.tools set parameters = parameters || '{"description": "d"}' where key = 'paint';
update public.tools
set kind = 'analysis', result_schema = '{"type": "object"}'
where key = 'paint';
select results_eq(
  $$ select version from public.tools where key = 'paint' $$,
  'values (4)',
  'raises the version when parameters, kind or result_schema changes'
);
select throws_ok(
  $$ update public.tools set version = 1 where key = 'paint' $$,
  '42501', null, 'lets nobody set a version'
);
select throws_ok(
  $$ update public.tools set prompt = '{{z}}' where key = 'paint' $$,
  'PT422', null, 'refuses a change that breaks a tool'
);

-- When anyone reads the catalogue
select tests.become('anon');
select results_eq(
  $$ select enabled, prompt like '%Now.' from public.tools where key = 'paint' $$,
  'values (false, true)',
  'anyone reads a disabled tool with its prompt'
);

select * from finish();
rollback;
