-- app.claim_seed
--
-- Called by   the files of db/seed
-- Writes      seeds
create or replace function app.claim_seed(relation text, key text)
  returns boolean
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  insert into app.seeds (relation, key)
  values (claim_seed.relation, claim_seed.key)
  on conflict on constraint seeds_pkey do nothing;

  return found;
end
$$;

comment on function app.claim_seed(text, text) is
  'Returns whether the seed may bring this row: true the first time, so that the seed brings a row '
  'once, and a row that an operator deletes stays deleted.';
