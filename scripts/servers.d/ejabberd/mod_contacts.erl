%% Writes whole rosters at once, into ejabberd's own tables: the fast way to have accounts know each other.
%%
%% POST /contacts/load reads contacts.csv from beside the configuration (lines `jid,contact`, all of an account together,
%% each pair from both ends, as `xmpp-bench accounts list PROFILE --contacts` prints them). Every account that stands there
%% has exactly those contacts afterwards, mutual. Nobody ought to be online meanwhile.
-module(mod_contacts).
-behaviour(gen_mod).

-export([start/2, stop/1, reload/3, depends/2, mod_options/1, mod_doc/0]).
-export([process/2]).

-include("mod_roster.hrl").

start(_Host, _Opts) -> ok.
stop(_Host) -> ok.
reload(_Host, _New, _Old) -> ok.
depends(_Host, _Opts) -> [{mod_roster, hard}].
mod_options(_Host) -> [].
mod_doc() -> #{}.

%% ejabberd_http's handler.
process([<<"load">>], _Request) ->
    File = filename:join(filename:dirname(os:getenv("EJABBERD_CONFIG_PATH")), "contacts.csv"),
    {ok, Device} = file:open(File, [read, raw, binary, {read_ahead, 1048576}]),
    {Rosters, Contacts} = load(Device, none, {0, 0}),
    ok = file:close(Device),
    %% What is kept of rosters read before is out of date.
    [ets_cache:clear(Cache) || Cache <- [roster_cache, roster_item_cache, roster_version_cache]],
    Text = io_lib:format("{\"rosters\":~b,\"contacts\":~b}~n", [Rosters, Contacts]),
    {200, [{<<"Content-Type">>, <<"application/json">>}], iolist_to_binary(Text)};
process(_Path, _Request) ->
    {404, [], <<"not found\n">>}.

load(Device, Current, {Rosters, Contacts} = Counts) ->
    case file:read_line(Device) of
        {ok, <<"jid,", _/binary>>} ->
            load(Device, Current, Counts);
        {ok, Line} ->
            [Own, Contact] = binary:split(string:chomp(Line), <<",">>),
            US = account(Own),
            Begun = case US of
                Current -> 0;
                _ -> begin_roster(US), 1
            end,
            write(US, account(Contact)),
            load(Device, US, {Rosters + Begun, Contacts + 1});
        eof ->
            Counts
    end.

account(Jid) ->
    [User, Server] = binary:split(Jid, <<"@">>),
    {User, Server}.

%% An empty roster, of a version nobody has seen.
begin_roster(US) ->
    [mnesia:dirty_delete_object(Item) || Item <- mnesia:dirty_index_read(roster, US, #roster.us)],
    Version = integer_to_binary(erlang:unique_integer([positive, monotonic])),
    mnesia:dirty_write(#roster_version{us = US, version = <<"written-", Version/binary>>}).

write({User, Server} = US, {ContactUser, ContactServer}) ->
    Contact = {ContactUser, ContactServer, <<>>},
    mnesia:dirty_write(#roster{usj = {User, Server, Contact}, us = US, jid = Contact, subscription = both}).
