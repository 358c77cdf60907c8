-- app.set_template_channel, public.set_template_channel
--
-- Called by   service_role
-- Writes      template_channels
-- Errors      PT404 template_not_found, template_version_not_found, PT409
--             template_version_not_stable, PT422 template_channel_invalid
-- Idempotent  yes
-- Locks       the template
create or replace function app.set_template_channel(name text, channel text, weights jsonb)
  returns json
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_template public.templates := app.lock_template(set_template_channel.name);
begin
  if coalesce(set_template_channel.channel, '') !~ '^[a-z][a-z0-9-]{0,39}$'
    or set_template_channel.channel in ('latest', 'stable')
  then
    perform app.fail(
      422,
      'template_channel_invalid',
      'A channel name must have 1 to 40 characters of a-z, 0-9 and -, begin with a letter, '
        'and not be latest or stable.',
      'Use default, or a name of your own.'
    );
  end if;

  if jsonb_typeof(set_template_channel.weights) is distinct from 'object'
    or exists (
      select
      from jsonb_each(set_template_channel.weights) as w (version, weight)
      where w.weight::text !~ '^[0-9]{1,3}$' or w.weight::text::integer not between 1 and 100
    )
    or (
      select sum(w.weight::text::integer)
      from jsonb_each(set_template_channel.weights) as w (version, weight)
    ) > 100
  then
    perform app.fail(
      422,
      'template_channel_invalid',
      'Weights must be integers from 1 to 100 with a sum of at most 100.',
      'Send { "1.1.0": 10 } to give version 1.1.0 to 10 % of callers, {} to delete the channel.'
    );
  end if;

  delete from app.template_channels as c
  where c.template_id = v_template.id and c.channel = set_template_channel.channel;
  insert into app.template_channels (template_id, channel, template_version_id, weight)
  select
    v_template.id,
    set_template_channel.channel,
    app.require_stable_version(v_template, w.version),
    w.weight::text::integer
  from jsonb_each(set_template_channel.weights) as w (version, weight);

  return json_build_object(
    'template', v_template.name,
    'channel', set_template_channel.channel,
    'weights', set_template_channel.weights
  );
end
$$;

comment on function app.set_template_channel(text, text, jsonb) is
  'Sets which percentage of callers gets which version. Documented at public.set_template_channel.';

create or replace function public.set_template_channel(name text, channel text, weights jsonb)
  returns json
  language sql
  volatile
  set search_path = ''
return app.set_template_channel(name, channel, weights);

comment on function public.set_template_channel(text, text, jsonb) is
$$Sets which percentage of callers gets which version: a canary, or an alias.

channel: default, the channel of callers that ask for no version, or a name of your own that callers
can ask for like a version (a-z, 0-9 and -, at most 40 characters). weights: { semver: percent },
integers from 1 to 100 with a sum of at most 100; the default version gets the rest. One version
with 100 is an alias; {} deletes the channel.
The same key gets the same version while the weights do not change. If a weight rises, callers of
all other versions move to this version, and no caller moves away from it. The percentage of the
default version falls, so some of its callers also move to the other versions.
Returns { template, channel, weights }.
404 template_not_found, template_version_not_found. 409 template_version_not_stable. 422
template_channel_invalid. For service_role only. Origin 001, phases 3 and 4.$$;

grant execute on function app.set_template_channel(text, text, jsonb) to service_role;
grant execute on function public.set_template_channel(text, text, jsonb) to service_role;
