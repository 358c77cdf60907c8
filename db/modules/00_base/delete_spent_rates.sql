-- app.delete_spent_rates
--
-- Called by   schedule delete-spent-rates
create or replace function app.delete_spent_rates()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_deleted integer;
begin
  with spent as (
    select r.bucket, r.key
    from app.rate_limits as r
    where r.spent_until < app.now()
    order by r.spent_until
    limit 10000
    for update skip locked
  )
  delete from app.rate_limits as r
  using spent
  where r.bucket = spent.bucket and r.key = spent.key;
  get diagnostics v_deleted = row_count;

  return v_deleted;
end
$$;

comment on function app.delete_spent_rates() is
  'Deletes rate limits that have run out, 10,000 at a time, and returns how many.';
