-- app.require_model
--
-- Errors      PT422 model_unknown
create or replace function app.require_model(kind text, name text)
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_name text;
begin
  v_name := (
    select m.name
    from public.ai_models as m
    where m.kind = require_model.kind
      and m.is_enabled
      and case
        when require_model.name is null then m.is_default
        else m.name = require_model.name
      end
  );
  if v_name is null then
    perform app.fail(
      422,
      'model_unknown',
      case
        when require_model.name is null
          then format('No default %s model is enabled.', require_model.kind)
        else format('Unknown %s model "%s".', require_model.kind, left(require_model.name, 100))
      end,
      format('Use a model that table ai_models lists with kind %s.', require_model.kind)
    );
  end if;

  return v_name;
end
$$;

comment on function app.require_model(text, text) is
  'Returns the enabled model of this kind and name (null: the default); 422 model_unknown.';
