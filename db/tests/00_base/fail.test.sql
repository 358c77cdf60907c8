begin;
select plan(5);

select throws_ok(
  $$ select app.fail(404, 'thing_missing', 'Thing not found.', 'Make one.') $$,
  'PT404',
  'Thing not found.',
  'raises the status as SQLSTATE'
);

select throws_ok(
  $$ select app.fail(404, 'thing_missing', e'Unknown thing "a\r\nb\u0085".', 'Make one.') $$,
  'PT404',
  'Unknown thing "a b ".',
  'keeps line breaks out of the status line'
);

select throws_ok(
  $$ select app.fail(404, 'thing_missing', 'Thing not found.') $$, '42883', null,
  'cannot be called without a hint'
);

create function pg_temp.refusal(
  call text, out code text, out message text, out detail text, out hint text
)
  language plpgsql
as $$
begin
  execute call;
exception
  when others then
    get stacked diagnostics
      code = returned_sqlstate,
      message = message_text,
      detail = pg_exception_detail,
      hint = pg_exception_hint;
end
$$;

select results_eq(
  $$
    select code, detail, hint
    from pg_temp.refusal($a$ select app.fail(409, 'thing_taken', 'Name taken.', 'Use another.') $a$)
  $$,
  $$ values ('PT409', 'thing_taken', 'Use another.') $$,
  'carries the slug as detail and the next step as hint'
);
select results_eq(
  $$
    select code, message::jsonb - 'message', detail::jsonb
    from pg_temp.refusal(
      $a$ select app.fail(429, 'slow', 'Too fast.', 'Wait.', '{"Retry-After": "3"}') $a$
    )
  $$,
  $$
    values (
      'PGRST',
      '{"code": "PT429", "details": "slow", "hint": "Wait."}'::jsonb,
      '{"status": 429, "headers": {"Retry-After": "3"}}'::jsonb
    )
  $$,
  'uses PostgREST''s own form for headers, with the same code, slug and hint'
);

select * from finish();
rollback;
