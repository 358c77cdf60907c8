-- app.renumber_refused
create or replace function app.renumber_refused(refused jsonb, places bigint[])
  returns jsonb
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return coalesce(
    (
      select jsonb_agg(
        jsonb_set(
          r.entry, '{index}', to_jsonb(renumber_refused.places[(r.entry ->> 'index')::integer + 1] - 1)
        )
      )
      from jsonb_array_elements(renumber_refused.refused) as r (entry)
    ),
    '[]'
  );
end
$$;

comment on function app.renumber_refused(jsonb, bigint[]) is
  'Refused results of a part of a batch, with the index in the whole batch; places: the 1-based places of the part''s results.';
