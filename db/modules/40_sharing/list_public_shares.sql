-- app.list_public_shares, public.list_public_shares
--
-- Called by   clients, by GET or POST
-- Errors      PT422 page_invalid
-- Why         a page is found in the index of public shares; only its shares are described
create or replace function app.list_public_shares(page_size integer, after text)
  returns json
  language plpgsql
  stable
  security definer
  set search_path = ''
  set timezone = 'UTC'
as $$
declare
  v_before record := app.parse_page(list_public_shares.page_size, list_public_shares.after);
  v_ids uuid[];
begin
  v_ids := array(
    select s.id
    from public.shared_resources as s
    where s.visibility = 'public'
      and s.expires_at > app.now()
      and (s.created_at, s.id) < (v_before.created_at, v_before.id)
    order by s.created_at desc, s.id desc
    limit list_public_shares.page_size + 1
  );

  return app.send_document((
    with page as (
      select d.*
      from app.list_share_descriptions(v_ids[:list_public_shares.page_size]) as d
    )
    select json_build_object(
      'shares',
      coalesce(json_agg(to_json(p) order by p.created_at desc, p.share_id desc), '[]'),
      'next',
      case
        when cardinality(v_ids) > list_public_shares.page_size then (
          select app.format_page_end(l.created_at, l.share_id)
          from page as l
          order by l.created_at, l.share_id
          limit 1
        )
      end
    )
    from page as p
  ));
end
$$;

comment on function app.list_public_shares(integer, text) is
  'Returns a page of the public shares; see public.list_public_shares.';

-- Drops the function of earlier releases, which returned json.
drop function if exists public.list_public_shares(integer, text);

create or replace function public.list_public_shares(
  page_size integer default 20,
  after text default null
)
  returns public."*/*"
  language sql
  stable
  set search_path = ''
return app.list_public_shares(page_size, after);

comment on function public.list_public_shares(integer, text) is
$$Lists the live public shares, newest first, with their titles and icons.

page_size: 1 to 100, default 20. after: next of the previous page.
Returns { shares: [{ share_id, type, kind, title, icon_url, url, created_at, expires_at }], next
(null on the last page) }; describe_share explains the fields.
422 page_invalid.$$;

grant execute on function app.list_public_shares(integer, text)
  to anon, authenticated, service_role;
grant execute on function public.list_public_shares(integer, text)
  to anon, authenticated, service_role;
