-- Counts message copies that carry a token, where Prosody hands them to a client's connection: a count that shares
-- nothing with the load generator.
--
--   received    messages with a token that clients sent
--   copies      copies written to clients; an error or a stored copy shown again is none
--   recipients  how many accounts got at least one copy
--   distinct    how many different tokens the copies carried; null above a bound, never wrong
--   replayed    stored copies shown again (they carry a delay stamp, XEP-0203)
--   errors      messages of type "error" with a token's id, written to clients
--
-- GET /count_copies/count and /count_copies/recipients give JSON, POST /count_copies/reset starts anew.
module:set_global();
module:depends("http");

local filters = require "util.filters";
local json = require "util.json";
local jid_bare = require "util.jid".bare;

local distinct_max = 2000000;
local totals, recipients, recipient_count, seen;

local function reset()
	totals = { received = 0; copies = 0; distinct = 0; replayed = 0; errors = 0 };
	recipients, recipient_count, seen = {}, 0, {};
end
reset();

-- A token is 24 characters, `xm` and then base 64 for URLs.
local function has_token(stanza)
	local id = stanza.name == "message" and stanza.attr.id;
	return id and #id == 24 and id:find("^xm[%w_-]+$") and id;
end

local function count_copy(session, token)
	totals.copies = totals.copies + 1;
	local recipient = jid_bare(session.full_jid) or "?";
	local so_far = recipients[recipient];
	if not so_far then
		recipient_count = recipient_count + 1;
	end
	recipients[recipient] = (so_far or 0) + 1;
	if totals.distinct < distinct_max and not seen[token] then
		seen[token] = true;
		totals.distinct = totals.distinct + 1;
	end
end

local function stanza_out(stanza, session)
	local token = type(stanza) == "table" and stanza.name and has_token(stanza);
	if not token then
		return stanza;
	elseif stanza.attr.type == "error" then
		totals.errors = totals.errors + 1;
	elseif stanza:get_child("delay", "urn:xmpp:delay") then
		totals.replayed = totals.replayed + 1;
	else
		count_copy(session, token);
	end
	return stanza;
end

local function stanza_in(stanza)
	if has_token(stanza) and stanza.attr.type ~= "error" then
		totals.received = totals.received + 1;
	end
	return stanza;
end

-- Last of all filters on the way out: what another one holds back (a hibernating session) is not counted.
local function watch(session)
	if session.type == "c2s_unauthed" or session.type == "c2s" then
		filters.add_filter(session, "stanzas/out", stanza_out, -1000);
		filters.add_filter(session, "stanzas/in", stanza_in, 1000);
	end
end
filters.add_filter_hook(watch);

function module.unload()
	filters.remove_filter_hook(watch);
end

local function respond(event, value)
	event.response.headers.content_type = "application/json";
	return json.encode(value) .. "\n";
end

module:provides("http", {
	route = {
		["GET /count"] = function (event)
			return respond(event, {
				received = totals.received; copies = totals.copies; recipients = recipient_count;
				distinct = totals.distinct < distinct_max and totals.distinct or json.null;
				replayed = totals.replayed; errors = totals.errors;
			});
		end;
		["GET /recipients"] = function (event)
			return respond(event, recipients);
		end;
		["POST /reset"] = function (event)
			reset();
			return respond(event, { reset = true });
		end;
	};
});
