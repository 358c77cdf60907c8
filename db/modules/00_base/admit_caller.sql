-- app.admit_caller, gate.admit_caller
--
-- Called by   gate.pre_request, for a request without an API key
-- Errors      PT401 not_signed_in, token_audience_wrong, token_without_expiry,
--             PT429 too_many_at_once
-- Locks       slots of the caller: see app.take_request_slot
-- Why         PostgREST accepts every token with a good signature: also one that never expires, one
--             for another service, and one of a deleted user.
create or replace function app.admit_caller(role text)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_claims jsonb := auth.jwt();
  v_key text;
  v_settings record;
begin
  -- A request without a token has only the claim role. The anonymous key may have no other claim.
  if admit_caller.role <> 'anon' or v_claims ? 'sub' then
    if jsonb_typeof(v_claims -> 'exp') is distinct from 'number' then
      perform app.fail(
        401, 'token_without_expiry', 'The token has no expiry.', 'Send a token with the claim exp.'
      );
    end if;
    if admit_caller.role = 'authenticated'
      and (v_claims -> 'aud' ? 'authenticated') is not true
    then
      perform app.fail(
        401,
        'token_audience_wrong',
        'The token is for another service.',
        'Sign in again: the claim aud of a user''s token is "authenticated".'
      );
    end if;
    if admit_caller.role = 'service_role' then
      return;
    end if;
    if v_claims ? 'sub' then
      v_key := 'user ' || app.require_user();
    end if;
  end if;

  select s.requests_at_once, s.client_address_header into v_settings from app.settings as s;
  if v_settings.requests_at_once > 0 then
    -- As app.caller_key, without reading the settings again.
    perform app.take_request_slot(
      coalesce(
        v_key,
        'address ' || app.read_address(
          nullif(current_setting('request.headers', true), '')::json
            ->> v_settings.client_address_header
        )
      ),
      v_settings.requests_at_once
    );
  end if;
end
$$;

comment on function app.admit_caller(text) is
  'Refuses a token without expiry, for another service or of a deleted user, and a request beyond '
  'those that the caller may run at the same time. service_role may run any number.';

create or replace function gate.admit_caller(role text)
  returns void
  language sql
  volatile
return app.admit_caller(role);

comment on function gate.admit_caller(text) is
  'Admits or refuses the caller of a request without an API key, for gate.pre_request.';

grant execute on function app.admit_caller(text) to anon, authenticated, service_role;
grant execute on function gate.admit_caller(text) to anon, authenticated, service_role;
