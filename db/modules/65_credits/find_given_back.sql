-- app.find_given_back
--
-- Why         a refund could not take credits that a hold reserved, and became a debt instead
--             (credit_grants.due). The credits that return now pay this debt. The rest of an
--             expired grant expires
create or replace function app.find_given_back(released app.credit_movement[])
  returns app.credit_movement[]
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (
    select coalesce(array_agg(m.movement), '{}')
    from (
      select
        g.id,
        g.user_id,
        least(g.due, b.amount) as due,
        case
          when g.expires_at <= app.now()
            then g.remaining - g.reserved + b.amount - least(g.due, b.amount)
          else 0
        end as expired
      from (
        select n.grant_id, -sum(n.reserved) as amount
        from unnest(find_given_back.released) as n
        group by n.grant_id
      ) as b
      join public.credit_grants as g on g.id = any (array[b.grant_id])
    ) as t
    cross join lateral (
      values
        (
          t.due > 0,
          (
            'taken_back', t.user_id, t.id, null, null, -t.due, null, null, -t.due, null, null, null
          )::app.credit_movement
        ),
        (
          t.due > 0,
          (
            'repayment', t.user_id, t.id, null, null, null, null, -t.due, null, null, null, null
          )::app.credit_movement
        ),
        (
          t.expired > 0,
          (
            'expiry', t.user_id, t.id, null, null, -t.expired, null, null, null, null, null, null
          )::app.credit_movement
        )
    ) as m (is_needed, movement)
    where m.is_needed
  );
end
$$;

comment on function app.find_given_back(app.credit_movement[]) is
  'Returns the movements that take released credits from refunded and expired grants.';
