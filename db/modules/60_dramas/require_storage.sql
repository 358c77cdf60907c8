-- app.require_storage
--
-- Errors      PT409 storage_used_up
-- Why         a run that has started may finish, because its images and videos are paid. So an
--             owner may exceed the limit by the media that open runs still store
create or replace function app.require_storage(
  owner_id uuid,
  more_bytes bigint,
  is_counted boolean default false
)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_plan public.plans;
  v_used bigint;
begin
  select p.* into v_plan
  from public.users as u
  join public.plans as p on p.id = u.plan_id
  where u.id = require_storage.owner_id;
  v_used := app.count_owner_bytes(require_storage.owner_id)
    - case when require_storage.is_counted then require_storage.more_bytes else 0 end;

  if v_used + require_storage.more_bytes > v_plan.bytes_stored then
    perform app.fail(
      409,
      'storage_used_up',
      format(
        case
          when require_storage.is_counted
            then 'Plan "%s" stores %s bytes, %s bytes are used, and this drama needs %s more.'
          else 'Plan "%s" stores %s bytes, and %s bytes are used.'
        end,
        v_plan.id,
        v_plan.bytes_stored,
        v_used,
        require_storage.more_bytes
      ),
      'Delete dramas, or change to a plan that stores more.'
    );
  end if;
end
$$;

comment on function app.require_storage(uuid, bigint, boolean) is
$$Refuses more_bytes that the plan of an owner has no room for: 409 storage_used_up.

is_counted: whether app.count_owner_bytes counts more_bytes already.$$;
