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
          r.entry,
          '{index}',
          to_jsonb(renumber_refused.places[(r.entry ->> 'index')::integer + 1] - 1)
        )
      )
      from jsonb_array_elements(renumber_refused.refused) as r (entry)
    ),
    '[]'
  );
end
$$;

comment on function app.renumber_refused(jsonb, bigint[]) is
$$Returns the refused results of a part of a batch, with the index that each has in the whole batch.

places: for each result of the part, its place in the whole batch, counted from 1.$$;
