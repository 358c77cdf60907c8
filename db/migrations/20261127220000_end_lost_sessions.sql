-- Sessions of worker and sidecar end soon after their process or its network is gone. Until then, a session holds its locks: a
-- large answer that nobody receives keeps its transaction open.
set local lock_timeout = '5s';

-- An answer that the client's machine does not acknowledge.
alter role worker set tcp_user_timeout = '20s';
alter role sidecar set tcp_user_timeout = '20s';
-- An idle session whose client's machine is gone: 30 s, then three probes.
alter role worker set tcp_keepalives_idle = 30;
alter role worker set tcp_keepalives_interval = 10;
alter role worker set tcp_keepalives_count = 3;
alter role sidecar set tcp_keepalives_idle = 30;
alter role sidecar set tcp_keepalives_interval = 10;
alter role sidecar set tcp_keepalives_count = 3;
-- A query whose client has closed the connection, for example because it waited too long.
alter role worker set client_connection_check_interval = '2s';
alter role sidecar set client_connection_check_interval = '2s';
