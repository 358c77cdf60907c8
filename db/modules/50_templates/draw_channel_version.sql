-- app.draw_channel_version
--
-- Why         weighted rendezvous hashing: every version draws a number from the caller's key,
--             exponentially distributed with the version's weight as rate, and the smallest number
--             wins. So the percentages of callers equal the weights. A version whose weight rises
--             gains callers from all others; a version whose weight falls, such as the default,
--             loses callers to all others.
create or replace function app.draw_channel_version(
  template public.templates,
  channel text,
  key text
)
  returns uuid
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_id uuid;
begin
  with listed as (
    select c.template_version_id as id, c.weight
    from app.template_channels as c
    where c.template_id = (draw_channel_version.template).id
      and c.channel = draw_channel_version.channel
  ),
  -- The default version gets the rest of 100. It has no share in a channel that does not exist: the
  -- sum is null.
  shares as (
    select s.id, sum(s.weight) as weight
    from (
      select l.id, l.weight from listed as l
      union all
      select
        (draw_channel_version.template).default_version_id,
        100 - (select sum(l.weight) from listed as l)
    ) as s (id, weight)
    where s.id is not null and s.weight > 0
    group by s.id
  )
  select s.id into v_id
  from shares as s
  order by
    case when draw_channel_version.key is null then -s.weight end,
    -- 48 bits of a hash that is the same in every version of Postgres, as a number between 0 and 1.
    -ln(
      (
        (
          'x' || left(
            encode(sha256(convert_to(s.id || ' ' || draw_channel_version.key, 'UTF8')), 'hex'), 12
          )
        )::bit(48)::bigint + 0.5
      )::double precision / 281474976710656
    ) / s.weight::double precision,
    s.id
  limit 1;

  return v_id;
end
$$;

comment on function app.draw_channel_version(public.templates, text, text) is
  'Draws the version that a channel gives to a key. Without a key: the version with the largest '
  'weight. Null if the channel does not exist.';
