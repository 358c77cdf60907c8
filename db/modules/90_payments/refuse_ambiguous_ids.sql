-- app.tg_settings__refuse_ambiguous_ids
--
-- Errors      PT422 integration_ids_ambiguous
-- Why         Paymob signs id and integration_id without a separator. With the integrations 6741
--             and 741, a customer could present payment 12 of integration 6741 as payment 126 of
--             integration 741, with the same signature. The refund of payment 12 would then not
--             match the stored payment, and would not reverse it
create or replace function app.tg_settings__refuse_ambiguous_ids()
  returns trigger
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_longer bigint;
  v_shorter bigint;
begin
  select l.id, s.id into v_longer, v_shorter
  from unnest(new.paymob_integration_ids) as l (id)
  join unnest(new.paymob_integration_ids) as s (id)
    on l.id <> s.id and right(l.id::text, length(s.id::text)) = s.id::text
  limit 1;
  if found then
    perform app.fail(
      422,
      'integration_ids_ambiguous',
      format('Integration %s ends with the digits of integration %s.', v_longer, v_shorter),
      'Use only one of the two integrations, or create another one in Paymob''s dashboard.'
    );
  end if;

  return new;
end
$$;

comment on function app.tg_settings__refuse_ambiguous_ids() is
  'Refuses two integration ids if one ends with the digits of the other.';
