-- app.hash_generation
create or replace function app.hash_generation(
  user_id uuid,
  tool_id uuid,
  tool_version integer,
  original_etag text,
  original_size bigint,
  parameters jsonb
)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return encode(
    sha256(
      convert_to(
        jsonb_build_array(
          hash_generation.user_id,
          hash_generation.tool_id,
          hash_generation.tool_version,
          hash_generation.original_etag,
          hash_generation.original_size,
          hash_generation.parameters
        )::text,
        'UTF8'
      )
    ),
    'hex'
  );
end
$$;

comment on function app.hash_generation(uuid, uuid, integer, text, bigint, jsonb) is
$$Returns the cache key of a request: a SHA-256 in hexadecimal.

parameters: from app.parse_tool_parameters. The key does not depend on the path of the photo, so
copies of a photo share their results.$$;
