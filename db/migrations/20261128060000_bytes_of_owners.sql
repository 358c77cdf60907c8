-- Limits the bytes that an owner stores, and remembers which objects of deleted dramas to remove.
set local lock_timeout = '5s';

-- 1 GiB, and 20 GiB for the plan that the seed brings.
alter table public.plans
  add column bytes_stored bigint not null default 1073741824
    constraint plans_bytes_stored_is_not_negative check (bytes_stored >= 0);
update public.plans set bytes_stored = 21474836480 where id = 'pro';

create table app.drama_media (
  drama_id uuid not null references public.dramas (id) on delete cascade,
  name text collate "C" not null,
  bytes bigint not null,
  primary key (drama_id, name),
  constraint drama_media_name_is_plain check (name ~ '^[a-z0-9]{1,64}\.[a-z0-9]{1,10}$'),
  constraint drama_media_bytes_are_not_negative check (bytes >= 0)
);
alter table app.drama_media enable row level security;

-- Apart from dramas, because each update of a drama raises its updated_at.
create table app.drama_sizes (
  drama_id uuid primary key references public.dramas (id) on delete cascade,
  owner_id uuid not null,
  document_bytes bigint not null default 0,
  media_bytes bigint not null default 0,
  constraint drama_sizes_are_not_negative check (document_bytes >= 0 and media_bytes >= 0)
)
-- Room for new versions of a row on its page: no index has a column that changes.
with (fillfactor = 80);
create index drama_sizes_owner_id_idx on app.drama_sizes (owner_id);
alter table app.drama_sizes enable row level security;

-- No foreign key: a row outlives its drama.
create table app.deleted_media (
  drama_id uuid primary key,
  deleted_at timestamptz not null,
  remove_at timestamptz not null,
  attempts integer not null default 0,
  claim_id uuid
);
create index deleted_media_remove_at_idx on app.deleted_media (remove_at);
alter table app.deleted_media enable row level security;

-- The media that exist already, as far as their steps still have an output. Without a pattern that contains the id: Postgres
-- would compile the pattern for each row, which takes milliseconds.
insert into app.drama_media (drama_id, name, bytes)
select m.drama_id, m.name, max(m.bytes)
from (
  select
    r.drama_id,
    split_part(j.output ->> 'url', '/drama-assets/' || r.drama_id || '/', -1) as name,
    case jsonb_typeof(j.output -> 'bytes')
      when 'number' then least(greatest((j.output ->> 'bytes')::numeric, 0), 1099511627776)::bigint
      else 0
    end as bytes
  from public.jobs as j
  join app.drama_runs as r on r.run_id = j.root_id
  where j.type in ('generate_image', 'generate_video')
    and strpos(j.output ->> 'url', '/drama-assets/' || r.drama_id || '/') > 0
) as m
where m.name ~ '^[a-z0-9]{1,64}\.[a-z0-9]{1,10}$'
group by m.drama_id, m.name;

insert into app.drama_sizes (drama_id, owner_id, document_bytes, media_bytes)
select
  d.id,
  d.owner_id,
  -- Packages are stored as they are, so this reads no package.
  coalesce(pg_column_size(p.package), 0),
  coalesce((select sum(m.bytes) from app.drama_media as m where m.drama_id = d.id), 0)
from public.dramas as d
left join app.drama_packages as p on p.drama_id = d.id;
