begin;
select plan(4);

select throws_ok(
  $$ select app.fail(404, 'thing_missing', 'There is no thing.', 'Make one.') $$,
  'PT404',
  'There is no thing.',
  'raises the status as SQLSTATE'
);

select throws_ok(
  $$ select app.fail(404, 'thing_missing', e'There is no "a\r\nb\u0085".') $$,
  'PT404',
  'There is no "a b ".',
  'keeps line breaks out of the status line'
);

create function pg_temp.refusal(call text, out code text, out message text, out detail text, out hint text)
  language plpgsql
as $$
begin
  execute call;
exception
  when others then
    get stacked diagnostics code = returned_sqlstate, message = message_text, detail = pg_exception_detail,
      hint = pg_exception_hint;
end
$$;

select results_eq(
  $$ select code, detail, hint from pg_temp.refusal($a$ select app.fail(409, 'thing_taken', 'It is taken.', 'Take another.') $a$) $$,
  $$ values ('PT409', 'thing_taken', 'Take another.') $$,
  'carries the slug as detail and the next step as hint'
);
select results_eq(
  $$
    select code, message::jsonb ->> 'code', message::jsonb ->> 'details', detail::jsonb
    from pg_temp.refusal($a$ select app.fail(429, 'slow', 'Slow down.', null, '{"Retry-After": "3"}') $a$)
  $$,
  $$ values ('PGRST', 'PT429', 'slow', '{"status": 429, "headers": {"Retry-After": "3"}}'::jsonb) $$,
  'with headers speaks PostgREST''s own form, with the same code and slug'
);

select * from finish();
rollback;
