-- app.apply_results_separately
--
-- Writes      the rows that app.apply_locked_results writes
-- Locks       the caller holds the runs; then the rows that app.apply_locked_results locks, result
--             by result
-- Why         finds the step whose callback raises, so that the other steps of the batch complete
create or replace function app.apply_results_separately(results jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_refused jsonb := '[]'::jsonb;
  v_places bigint[];
  v_batch jsonb;
  v_one record;
begin
  select array_agg(g.n order by g.n), jsonb_agg(g.result order by g.n)
  into v_places, v_batch
  from jsonb_array_elements(apply_results_separately.results) with ordinality as g (result, n)
  where not app.has_step_callback(app.parse_bigint(g.result -> 'id'));
  if v_batch is not null then
    v_refused := app.renumber_refused(
      app.apply_locked_results(v_batch, app.lock_runs_of(v_batch)), v_places
    );
  end if;

  for v_one in
    select g.n, g.result
    from jsonb_array_elements(apply_results_separately.results) with ordinality as g (result, n)
    where v_places is null or g.n <> all (v_places)
    order by g.n
  loop
    v_refused := v_refused
      || app.renumber_refused(app.apply_result_alone(v_one.result), array[v_one.n]);
  end loop;

  return v_refused;
end
$$;

comment on function app.apply_results_separately(jsonb) is
$$Applies the results of a batch in which a callback raised: first the results of steps without a
callback, together; then each other result alone.

Returns the refused results, as app.apply_results does.$$;
