-- Writes whole rosters at once, through Prosody's own storage: the fast way to have accounts know each other.
--
-- POST /contacts/load reads contacts.csv from beside the data (lines `jid,contact`, all of an account together, each pair
-- from both ends, as `xmpp-bench accounts list PROFILE --contacts` prints them). Every account that stands there has
-- exactly those contacts afterwards, mutual. Nobody ought to be online meanwhile: a session keeps the roster it has read.
module:set_global();
module:depends("http");

local json = require "util.json";
local jid_split = require "util.jid".split;
local storagemanager = require "core.storagemanager";
local hosts = prosody.hosts;

local function save(jid, roster)
	local username, host = jid_split(jid);
	roster[false] = { version = 1; pending = {} };
	assert(storagemanager.open(host, "roster", "keyval"):set(username, roster));
end

local function load(path)
	local rosters, contacts, current, roster = 0, 0, nil, nil;
	for line in assert(io.lines(path)) do
		local jid, contact = line:match("^([^,]+),([^,]+)$");
		if jid and jid ~= "jid" then
			if jid ~= current then
				if current then save(current, roster); end
				current, roster, rosters = jid, {}, rosters + 1;
			end
			roster[contact] = { subscription = "both"; groups = {} };
			contacts = contacts + 1;
		end
	end
	if current then save(current, roster); end
	-- What is kept of rosters read before is out of date.
	for _, host in pairs(hosts) do host.roster_cache = nil; end
	return { rosters = rosters; contacts = contacts };
end

module:provides("http", {
	route = {
		["POST /load"] = function (event)
			event.response.headers.content_type = "application/json";
			return json.encode(load(prosody.paths.data .. "/../contacts.csv")) .. "\n";
		end;
	};
});
