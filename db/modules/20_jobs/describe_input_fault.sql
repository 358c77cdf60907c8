-- app.describe_input_fault
create or replace function app.describe_input_fault(bytes bigint, max_bytes integer)
  returns jsonb
  language sql
  immutable
  set search_path = ''
return jsonb_build_object(
  'slug', 'input_too_large',
  'message', format(
    'The outputs that the step depends on have %s bytes, but steps of this type may get %s. Return '
    'less from these steps, or raise job_types.max_input_bytes.',
    describe_input_fault.bytes,
    describe_input_fault.max_bytes
  )
);

comment on function app.describe_input_fault(bigint, integer) is
$$Returns { slug: input_too_large, message } for a step that may not run, because the outputs that
the step depends on have more bytes than job_types.max_input_bytes.$$;
