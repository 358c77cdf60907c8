-- app.apply_results_separately
--
-- Writes      the rows that app.apply_locked_results writes
-- Locks       the runs that no other transaction has locked, lowest id first and without waiting;
--             then the rows that app.apply_locked_results locks, result by result. The caller sets
--             a short lock_timeout, because these rows may belong to other users
-- Why         finds the results whose rows are locked, and the step whose callback raises, so that
--             the other steps of the batch complete
create or replace function app.apply_results_separately(results jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_refused jsonb := app.lock_free_runs(apply_results_separately.results);
  v_places bigint[];
  v_batch jsonb;
  v_one record;
begin
  -- If a locked run was the reason, all other results fit together.
  select array_agg(g.n order by g.n), jsonb_agg(g.result order by g.n)
  into v_places, v_batch
  from jsonb_array_elements(apply_results_separately.results) with ordinality as g (result, n)
  where not v_refused @> jsonb_build_array(jsonb_build_object('index', g.n - 1))
    and (v_refused <> '[]' or not app.has_step_callback(app.parse_bigint(g.result -> 'id')));
  if v_batch is not null then
    begin
      v_refused := v_refused || app.renumber_refused(
        app.apply_locked_results(v_batch, app.lock_runs_of(v_batch)), v_places
      );
    exception
      when sqlstate 'JC001' or lock_not_available then
        v_places := null;
    end;
  end if;

  for v_one in
    select g.n, g.result
    from jsonb_array_elements(apply_results_separately.results) with ordinality as g (result, n)
    where (v_places is null or g.n <> all (v_places))
      and not v_refused @> jsonb_build_array(jsonb_build_object('index', g.n - 1))
    order by g.n
  loop
    v_refused := v_refused
      || app.renumber_refused(app.apply_result_alone(v_one.result), array[v_one.n]);
  end loop;

  return v_refused;
end
$$;

comment on function app.apply_results_separately(jsonb) is
$$Applies the results of a batch that met a locked row or a callback that raised. First applies the
results that fit together, then each other result alone.

Returns the refused results, as app.apply_free_results does.$$;
