-- app.delete_rates
--
-- Writes      rate_limits
-- Locks       rows of rate_limits, with skip locked: a request that holds its row may wait for the
--             user who is being deleted. The schedule deletes the rows that this function skips
-- Why         the primary key begins with the bucket, so the query finds the buckets one by one
--             instead of reading the table
create or replace function app.delete_rates(keys text[])
  returns void
  language sql
  volatile
  set search_path = ''
begin atomic
  with recursive buckets as (
    (select r.bucket from app.rate_limits as r order by r.bucket limit 1)
    union all
    select (
      select r.bucket from app.rate_limits as r where r.bucket > b.bucket order by r.bucket limit 1
    )
    from buckets as b
    where b.bucket is not null
  ),
  found as (
    select r.bucket, r.key
    from buckets as b
    join app.rate_limits as r on r.bucket = b.bucket and r.key = any (delete_rates.keys)
    for update of r skip locked
  )
  delete from app.rate_limits as r
  using found as f
  where r.bucket = f.bucket and r.key = f.key;
end;

comment on function app.delete_rates(text[]) is
  'Deletes the rate limits of these keys, in all buckets.';
