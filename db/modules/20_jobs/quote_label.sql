-- app.quote_label
create or replace function app.quote_label(label text)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return (
    select coalesce(
      string_agg(
        case
          when c.letter ~ '^[A-Za-z0-9_.: -]$' then c.letter
          else '#' || ascii(c.letter) || ';'
        end,
        '' order by c.at
      ),
      ''
    )
    from string_to_table(quote_label.label, null) with ordinality as c (letter, at)
  );
end
$$;

comment on function app.quote_label(text) is
  'Escapes a text for a quoted Mermaid label: all but plain characters become entities.';
