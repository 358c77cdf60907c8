-- app.describe_form
create or replace function app.describe_form(form text)
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_size integer;
begin
  if describe_form.form = 'id' then
    return 'a UUID';
  end if;
  if describe_form.form = 'time' then
    return 'a time as get_drama_complete returns it, or null';
  end if;

  v_size := app.get_domain_limit(('app.' || describe_form.form)::regtype);
  return format(
    case
      when describe_form.form like '%\_text' then 'a text of up to %s characters'
      when describe_form.form like '%\_list' then 'a list of up to %s'
      when describe_form.form = 'character_ids' then 'a list of up to %s UUIDs'
      when describe_form.form = 'http_url' then 'an http(s) URL of up to %s bytes, or null'
      when describe_form.form = 'external_id' then 'a text of 1 to %s bytes, or null'
      when describe_form.form = 'extra' then 'an object of up to %s bytes'
    end,
    v_size
  );
end
$$;

comment on function app.describe_form(text) is
  'Returns in words what a field of this form must be; form: as app.list_drama_fields lists it.';
