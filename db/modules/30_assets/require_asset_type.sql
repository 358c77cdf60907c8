-- app.require_asset_type
--
-- Errors      PT415 asset_type_unsupported
create or replace function app.require_asset_type(mime_type text)
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_extension text;
begin
  select t.extension into v_extension
  from app.asset_types as t
  where t.mime_type = require_asset_type.mime_type;
  if not found then
    perform app.fail(
      415,
      'asset_type_unsupported',
      case
        when require_asset_type.mime_type ~ '^image/hei[cf]' then
          'The file is a HEIC picture, which most browsers cannot show.'
        else 'The file has an unsupported type, judged by its first bytes.'
      end,
      (
        select format(
          '%s one of: %s.',
          case
            when require_asset_type.mime_type ~ '^image/hei[cf]'
              then 'Convert the picture, and send'
            else 'Send'
          end,
          string_agg(t.mime_type, ', ' order by t.mime_type)
        )
        from app.asset_types as t
      )
    );
  end if;

  return v_extension;
end
$$;

comment on function app.require_asset_type(text) is
  'Returns the extension of files of a type; 415 asset_type_unsupported for another type.';
