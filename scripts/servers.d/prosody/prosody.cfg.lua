-- Prosody as a load target: loopback only, no limits, hashed passwords. `scripts/servers` fills in what stands in @…@.
daemonize = false
run_as_root = true
pidfile = "@RUN@/prosody.pid"
data_path = "@RUN@/data"
plugin_paths = { "@MODULES@" }
log = { warn = "@RUN@/server.log" }

interfaces = { "127.0.0.1" }
local_interfaces = { "127.0.0.1" }
c2s_ports = { @PORT@ }
c2s_direct_tls_ports = { @PORT_TLS@ }
http_ports = { @PORT_HTTP@ }
http_interfaces = { "127.0.0.1" }
https_ports = { @PORT_HTTPS@ }
https_interfaces = { "127.0.0.1" }
http_default_host = "localhost"
s2s_ports = {}
component_ports = {}
network_backend = "epoll"
network_settings = { tcp_backlog = 4096, max_connections = 1000000 }

-- STARTTLS is offered and not required, so that `tls = "off"` can be measured too.
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
consider_bosh_secure = true
consider_websocket_secure = true
cross_domain_bosh = true
cross_domain_websocket = true
bosh_max_inactivity = 120
certificates = "@RUN@/tls"
ssl = { certificate = "@RUN@/tls/cert.pem", key = "@RUN@/tls/key.pem", protocol = "tlsv1_2+" }
https_ssl = ssl
c2s_direct_tls_ssl = ssl

modules_disabled = { "s2s", "s2s_bidi", "dialback", "s2s_auth_certs", "limits" }
modules_enabled = {
  "roster", "saslauth", "tls", "disco", "offline", "posix", "message", "presence", "iq",
  "carbons", "pep", "private", "blocklist", "vcard4", "vcard_legacy",
  "version", "uptime", "time", "ping", "lastactivity", "register", "mam",
  "csi_simple", "smacks", "bosh", "websocket", "http",
  "count_copies", "contacts",
}
allow_registration = true
archive_expires_after = "never"
default_archive_policy = false
smacks_max_queue_size = 100000
smacks_hibernation_time = 60
gc = { mode = "generational" }
storage = "internal"

-- The load host. A hashed password keeps its salt, so a client's cached keys stay true from login to login.
VirtualHost "localhost"
  authentication = "internal_hashed"
  password_hash = "SHA-256"
  disco_items = { { "conference.localhost", "muc" }, { "pubsub.localhost", "pubsub" }, { "upload.localhost", "upload" } }

-- The host for the matrix of mechanisms: SCRAM-SHA-1, SCRAM-SHA-256, PLAIN, each login with a fresh salt.
VirtualHost "plain.localhost"
  authentication = "internal_plain"

-- Any user, any password, by SASL PLAIN.
VirtualHost "open.localhost"
  authentication = "insecure"
  insecure_open_authentication = "Yes please, I know what I'm doing!"

-- SASL ANONYMOUS.
VirtualHost "anon.localhost"
  authentication = "anonymous"
  allow_anonymous_s2s = false

Component "conference.localhost" "muc"
  modules_enabled = { "muc_mam" }
  muc_room_default_history_length = 0
  muc_room_locking = false
  muc_room_default_public_jids = true
  max_history_messages = 100
Component "pubsub.localhost" "pubsub"
Component "upload.localhost" "http_file_share"
  http_host = "localhost"
  http_file_share_size_limit = 10 * 1024 * 1024
