-- app.parse_page
--
-- Errors      PT422 page_invalid
create or replace function app.parse_page(
  page_size integer,
  after text,
  out created_at timestamptz,
  out id uuid
)
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  -- In a URL, null is the word null: supabase-js sends it for { after: null } with { get: true }.
  v_text text := nullif(parse_page.after, 'null');
  v_after text[] := string_to_array(v_text, '_');
begin
  if parse_page.page_size is null
    or parse_page.page_size not between 1 and 100
    or not coalesce(
      cardinality(v_after) = 2 and v_after[1] ~ '^[0-9]{1,18}$' and app.is_uuid(v_after[2]),
      v_text is null
    )
  then
    perform app.fail(
      422,
      'page_invalid',
      'A page has 1 to 100 rows, and begins after the next of another page.',
      'Ask for 1 to 100 rows, and send the next of the previous page, or leave it out for the '
        'first page.'
    );
  end if;

  created_at := coalesce(
    timestamptz 'epoch' + v_after[1]::bigint * interval '1 microsecond', timestamptz 'infinity'
  );
  id := coalesce(v_after[2]::uuid, uuid 'ffffffff-ffff-ffff-ffff-ffffffffffff');
end
$$;

comment on function app.parse_page(integer, text) is
$$Returns created_at and id of the last row before a page, for lists with the newest row first.

after: from app.format_page_end; null or the word null for the first page. 422 page_invalid.$$;
