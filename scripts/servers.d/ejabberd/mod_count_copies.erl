%% Counts copies of messages, room messages and presence that carry a token, where ejabberd has written them to a client's
%% connection: a count that shares nothing with the load generator. The numbers are those of the Prosody module of the
%% same name; for each kind:
%%
%%   received    stanzas with a token that clients sent
%%   copies      copies written to clients, but for the three kinds below
%%   distinct    copies but for those an account had got before; null above a bound, never wrong
%%   replayed    stored copies shown again (they carry a delay stamp, XEP-0203)
%%   own         presence shown to the account it comes from
%%   errors      stanzas of type "error" with a token's id, written to clients
%%
%% and for all kinds together, recipients: how many accounts got at least one copy.
%%
%% GET /count_copies/count and /count_copies/recipients give JSON, POST /count_copies/reset starts anew,
%% POST /count_copies/accounts loads accounts.terms (see accounts.py) from beside the configuration.
-module(mod_count_copies).
-behaviour(gen_mod).

-export([start/2, stop/1, reload/3, depends/2, mod_options/1, mod_doc/0]).
-export([sent/3, received/1, process/2]).

-include("scram.hrl").
-include("xmpp.hrl").
-include("ejabberd_auth.hrl").

-define(DISTINCT_MAX, 2000000).
%% Places of the first kind's numbers; those of the next begin COLUMNS further on.
-define(RECEIVED, 1).
-define(COPIES, 2).
-define(DISTINCT, 3).
-define(REPLAYED, 4).
-define(OWN, 5).
-define(ERRORS, 6).
-define(COLUMNS, 6).
-define(MESSAGE, 0).
-define(GROUPCHAT, 1).
-define(PRESENCE, 2).
-define(KINDS, [{?MESSAGE, "message"}, {?GROUPCHAT, "groupchat"}, {?PRESENCE, "presence"}]).

start(Host, _Opts) ->
    ensure_tables(),
    ejabberd_hooks:add(c2s_handle_send, Host, ?MODULE, sent, 10),
    ejabberd_hooks:add(user_send_packet, Host, ?MODULE, received, 10),
    ok.

stop(Host) ->
    ejabberd_hooks:delete(c2s_handle_send, Host, ?MODULE, sent, 10),
    ejabberd_hooks:delete(user_send_packet, Host, ?MODULE, received, 10),
    ok.

reload(_Host, _New, _Old) -> ok.
depends(_Host, _Opts) -> [].
mod_options(_Host) -> [].
mod_doc() -> #{}.

%% The tables belong to a process of their own: whoever starts modules may end.
ensure_tables() ->
    case whereis(?MODULE) of
        undefined ->
            Self = self(),
            Owner = spawn(fun() -> own_tables(Self) end),
            receive {Owner, ready} -> ok after 5000 -> exit(no_tables) end;
        _ -> ok
    end.

own_tables(Starter) ->
    register(?MODULE, self()),
    persistent_term:put(?MODULE, counters:new(3 * ?COLUMNS, [write_concurrency])),
    Options = [named_table, public, set, {write_concurrency, true}],
    ets:new(count_copies_recipients, Options),
    ets:new(count_copies_seen, Options),
    Starter ! {self(), ready},
    receive stop -> ok end.

%% Hook c2s_handle_send: what a connection was asked to write, and whether it could.
sent(State, Stanza, ok) ->
    case kind(Stanza) of
        none -> ok;
        Kind -> written(Kind, Stanza, State)
    end,
    State;
sent(State, _Stanza, _Result) ->
    State.

%% Hook user_send_packet: what a client sent.
received({Stanza, _State} = Acc) ->
    Kind = kind(Stanza),
    Kind =/= none andalso not is_error(Stanza) andalso add(Kind, ?RECEIVED),
    Acc.

written(Kind, Stanza, State) ->
    case is_error(Stanza) of
        true -> add(Kind, ?ERRORS);
        false ->
            case is_own(Stanza, State) of
                true -> add(Kind, ?OWN);
                false ->
                    case xmpp:has_subtag(Stanza, #delay{stamp = {0, 0, 0}}) of
                        true -> add(Kind, ?REPLAYED);
                        false -> copy(Kind, xmpp:get_id(Stanza), State)
                    end
            end
    end.

copy(Kind, Id, #{user := User, server := Server}) ->
    add(Kind, ?COPIES),
    ets:update_counter(count_copies_recipients, {User, Server}, 1, {{User, Server}, 0}),
    case is_within_bound() andalso ets:insert_new(count_copies_seen, {{binary:copy(Id), User, Server}}) of
        true -> add(Kind, ?DISTINCT);
        false -> ok
    end.

%% The kind of a stanza with a token: 24 characters, `x`, a letter for the kind, then base 64 for URLs.
kind(#message{id = <<"xm", Rest/binary>>}) -> kind(?MESSAGE, Rest);
kind(#message{id = <<"xg", Rest/binary>>}) -> kind(?GROUPCHAT, Rest);
kind(#presence{id = <<"xp", Rest/binary>>}) -> kind(?PRESENCE, Rest);
kind(_) -> none.

kind(Kind, Rest) when byte_size(Rest) =:= 22 ->
    case lists:all(fun is_digit/1, binary_to_list(Rest)) of
        true -> Kind;
        false -> none
    end;
kind(_Kind, _Rest) -> none.

is_digit(C) when C >= $A, C =< $Z; C >= $a, C =< $z; C >= $0, C =< $9; C =:= $-; C =:= $_ -> true;
is_digit(_) -> false.

is_error(Stanza) -> xmpp:get_type(Stanza) =:= error.

is_own(#presence{from = #jid{luser = User, lserver = Server}}, #{user := User, server := Server}) -> true;
is_own(_Stanza, _State) -> false.

add(Kind, Column) -> counters:add(persistent_term:get(?MODULE), Kind * ?COLUMNS + Column, 1).
total(Kind, Column) -> counters:get(persistent_term:get(?MODULE), Kind * ?COLUMNS + Column).

%% Whether all copies so far were remembered, so that a second one is known for one.
is_within_bound() -> lists:sum([total(Kind, ?DISTINCT) || {Kind, _Name} <- ?KINDS]) < ?DISTINCT_MAX.

%% ejabberd_http's handler.
process([<<"count">>], _Request) ->
    json(["{", [[count(Kind, Name), ","] || {Kind, Name} <- ?KINDS],
          io_lib:format("\"recipients\":~b}", [ets:info(count_copies_recipients, size)])]);
process([<<"recipients">>], _Request) ->
    Rows = [io_lib:format("\"~s@~s\":~b", [User, Server, Count])
            || {{User, Server}, Count} <- ets:tab2list(count_copies_recipients)],
    json(["{", lists:join(",", Rows), "}"]);
process([<<"reset">>], _Request) ->
    [counters:put(persistent_term:get(?MODULE), Which, 0) || Which <- lists:seq(1, 3 * ?COLUMNS)],
    ets:delete_all_objects(count_copies_recipients),
    ets:delete_all_objects(count_copies_seen),
    json("{\"reset\":true}");
process([<<"accounts">>], _Request) ->
    File = filename:join(filename:dirname(os:getenv("EJABBERD_CONFIG_PATH")), "accounts.terms"),
    {ok, Terms} = file:consult(File),
    lists:foreach(fun(Term) -> mnesia:dirty_write(account(Term)) end, Terms),
    json(io_lib:format("{\"accounts\":~b}", [length(Terms)]));
process(_Path, _Request) ->
    {404, [], <<"not found\n">>}.

count(Kind, Name) ->
    Distinct = case is_within_bound() of
        true -> integer_to_binary(total(Kind, ?DISTINCT));
        false -> <<"null">>
    end,
    io_lib:format("\"~s\":{\"received\":~b,\"copies\":~b,\"distinct\":~s,\"replayed\":~b,\"own\":~b,\"errors\":~b}",
        [Name, total(Kind, ?RECEIVED), total(Kind, ?COPIES), Distinct, total(Kind, ?REPLAYED), total(Kind, ?OWN),
         total(Kind, ?ERRORS)]).

account({User, Host, Password}) ->
    #passwd{us = {User, Host}, password = Password};
account({User, Host, StoredKey, ServerKey, Salt, Iterations}) ->
    #passwd{us = {User, Host}, password = #scram{storedkey = StoredKey, serverkey = ServerKey, salt = Salt,
                                                 hash = sha256, iterationcount = Iterations}}.

json(Text) ->
    {200, [{<<"Content-Type">>, <<"application/json">>}], iolist_to_binary([Text, "\n"])}.
