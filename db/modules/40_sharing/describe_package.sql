-- app.describe_package
create or replace function app.describe_package(
  resource_type text,
  package json,
  out title text,
  out icon_url text
)
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_data json;
  v_session record;
begin
  case describe_package.resource_type
    when 'flow' then
      title := describe_package.package ->> 'name';
    when 'session' then
      select s.title, s.all_cards, s.cover_url, s.background_url into v_session
      from json_to_record(describe_package.package)
        as s(title text, all_cards json, cover_url text, background_url text);
      title := v_session.title;
      icon_url := coalesce(
        v_session.cover_url,
        (
          select c.value ->> 'icon_url'
          from json_array_elements(v_session.all_cards) with ordinality as c (value, position)
          where c.value ->> 'icon_url' is not null
          order by c.position
          limit 1
        ),
        v_session.background_url
      );
    else
      v_data := describe_package.package -> 'data';
      title := coalesce(
        case json_typeof(v_data #> '{extensions,title}')
          when 'string' then nullif(btrim(v_data #>> '{extensions,title}'), '')
        end,
        v_data ->> 'name'
      );
      icon_url := v_data #>> '{extensions,icon_url}';
  end case;

  -- A gallery shows titles of strangers. So a title has no line breaks, and no characters that
  -- change the direction of the text after the title. A title of invisible characters counts as
  -- blank.
  title := regexp_replace(
    left(btrim(title), 1000),
    '[\u0001-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+',
    ' ',
    'g'
  );
  title := left(btrim(title), 300);
  title := case
    when title !~ '^[\s\u00a0\u00ad\u200b-\u200f\u2060\u3000\ufeff]*$' then title
  end;
end
$$;

comment on function app.describe_package(text, json) is
$$Returns the title and the icon of a package, as link previews show them.

title: the name of a flow, the title of a session, or the title or name of a card. At most 300
characters in one line, without characters that change the direction of text; or null.
icon_url: the icon of a card; the cover, an icon of a card or the background of a session; null for
a flow.$$;
