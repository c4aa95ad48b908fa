-- Counts copies of messages, room messages and presence that carry a token, where Prosody hands them to a client's
-- connection: a count that shares nothing with the load generator. For each kind:
--
--   received    stanzas with a token that clients sent
--   copies      copies written to clients, but for the three kinds below
--   distinct    copies but for those an account had got before; null above a bound, never wrong
--   replayed    stored copies shown again (they carry a delay stamp, XEP-0203)
--   own         presence shown to the account it comes from
--   errors      stanzas of type "error" with a token's id, written to clients
--
-- and for all kinds together, recipients: how many accounts got at least one copy.
--
-- GET /count_copies/count and /count_copies/recipients give JSON, POST /count_copies/reset starts anew.
module:set_global();
module:depends("http");

local filters = require "util.filters";
local json = require "util.json";
local jid_bare = require "util.jid".bare;

local kinds = { m = "message"; g = "groupchat"; p = "presence" };
local distinct_max = 2000000;
local totals, recipients, recipient_count, seen, seen_count;

local function reset()
	totals = {};
	for _, kind in pairs(kinds) do
		totals[kind] = { received = 0; copies = 0; distinct = 0; replayed = 0; own = 0; errors = 0 };
	end
	recipients, recipient_count, seen, seen_count = {}, 0, {}, 0;
end
reset();

-- The kind of a stanza with a token, and the token: 24 characters, `x`, a letter for the kind, then base 64 for URLs.
local function token_of(stanza)
	local id = stanza.attr.id;
	local letter = id and #id == 24 and id:match("^x([mgp])[%w_-]+$");
	if letter and stanza.name == (letter == "p" and "presence" or "message") then
		return kinds[letter], id;
	end
end

local function count_copy(total, session, token)
	total.copies = total.copies + 1;
	local recipient = jid_bare(session.full_jid) or "?";
	local so_far = recipients[recipient];
	if not so_far then
		recipient_count = recipient_count + 1;
	end
	recipients[recipient] = (so_far or 0) + 1;
	local copy = token .. recipient;
	if seen_count < distinct_max and not seen[copy] then
		seen[copy] = true;
		seen_count = seen_count + 1;
		total.distinct = total.distinct + 1;
	end
end

local function stanza_out(stanza, session)
	if type(stanza) ~= "table" or not stanza.name then
		return stanza;
	end
	local kind, token = token_of(stanza);
	local total = totals[kind];
	if not kind then
		return stanza;
	elseif stanza.attr.type == "error" then
		total.errors = total.errors + 1;
	elseif kind == "presence" and jid_bare(stanza.attr.from) == jid_bare(session.full_jid) then
		total.own = total.own + 1;
	elseif stanza:get_child("delay", "urn:xmpp:delay") then
		total.replayed = total.replayed + 1;
	else
		count_copy(total, session, token);
	end
	return stanza;
end

local function stanza_in(stanza)
	local kind = token_of(stanza);
	if kind and stanza.attr.type ~= "error" then
		totals[kind].received = totals[kind].received + 1;
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

local function count()
	local answer = { recipients = recipient_count };
	for kind, total in pairs(totals) do
		answer[kind] = {
			received = total.received; copies = total.copies; replayed = total.replayed; own = total.own;
			distinct = seen_count < distinct_max and total.distinct or json.null; errors = total.errors;
		};
	end
	return answer;
end

local function respond(event, value)
	event.response.headers.content_type = "application/json";
	return json.encode_ordered(value) .. "\n";
end

module:provides("http", {
	route = {
		["GET /count"] = function (event)
			return respond(event, count());
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
