%% Counts message copies that carry a token, where ejabberd has written them to a client's connection: a count that
%% shares nothing with the load generator. The numbers are those of the Prosody module of the same name:
%%
%%   received    messages with a token that clients sent
%%   copies      copies written to clients; an error or a stored copy shown again is none
%%   recipients  how many accounts got at least one copy
%%   distinct    how many different tokens the copies carried; null above a bound, never wrong
%%   replayed    stored copies shown again (they carry a delay stamp, XEP-0203)
%%   errors      messages of type "error" with a token's id, written to clients
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
-define(RECEIVED, 1).
-define(COPIES, 2).
-define(DISTINCT, 3).
-define(REPLAYED, 4).
-define(ERRORS, 5).

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
    persistent_term:put(?MODULE, counters:new(5, [write_concurrency])),
    Options = [named_table, public, set, {write_concurrency, true}],
    ets:new(count_copies_recipients, Options),
    ets:new(count_copies_tokens, Options),
    Starter ! {self(), ready},
    receive stop -> ok end.

%% Hook c2s_handle_send: what a connection was asked to write, and whether it could.
sent(State, #message{id = Id, type = Type} = Message, ok) when byte_size(Id) =:= 24 ->
    case is_token(Id) of
        true when Type =:= error -> add(?ERRORS);
        true ->
            case xmpp:has_subtag(Message, #delay{stamp = {0, 0, 0}}) of
                true -> add(?REPLAYED);
                false -> copy(State, Id)
            end;
        false -> ok
    end,
    State;
sent(State, _Packet, _Result) ->
    State.

%% Hook user_send_packet: what a client sent.
received({#message{id = Id, type = Type}, _State} = Acc) when byte_size(Id) =:= 24, Type =/= error ->
    is_token(Id) andalso add(?RECEIVED),
    Acc;
received(Acc) ->
    Acc.

copy(#{user := User, server := Server}, Id) ->
    add(?COPIES),
    ets:update_counter(count_copies_recipients, {User, Server}, 1, {{User, Server}, 0}),
    case total(?DISTINCT) < ?DISTINCT_MAX andalso ets:insert_new(count_copies_tokens, {binary:copy(Id)}) of
        true -> add(?DISTINCT);
        false -> ok
    end.

%% A token is 24 characters, `xm` and then base 64 for URLs.
is_token(<<"xm", Rest/binary>>) -> lists:all(fun is_digit/1, binary_to_list(Rest));
is_token(_) -> false.

is_digit(C) when C >= $A, C =< $Z; C >= $a, C =< $z; C >= $0, C =< $9; C =:= $-; C =:= $_ -> true;
is_digit(_) -> false.

add(Which) -> counters:add(persistent_term:get(?MODULE), Which, 1).
total(Which) -> counters:get(persistent_term:get(?MODULE), Which).

%% ejabberd_http's handler.
process([<<"count">>], _Request) ->
    Distinct = case total(?DISTINCT) of
        N when N < ?DISTINCT_MAX -> integer_to_binary(N);
        _ -> <<"null">>
    end,
    json(io_lib:format("{\"received\":~b,\"copies\":~b,\"recipients\":~b,\"distinct\":~s,\"replayed\":~b,\"errors\":~b}",
        [total(?RECEIVED), total(?COPIES), ets:info(count_copies_recipients, size), Distinct, total(?REPLAYED),
         total(?ERRORS)]));
process([<<"recipients">>], _Request) ->
    Rows = [io_lib:format("\"~s@~s\":~b", [User, Server, Count])
            || {{User, Server}, Count} <- ets:tab2list(count_copies_recipients)],
    json(["{", lists:join(",", Rows), "}"]);
process([<<"reset">>], _Request) ->
    [counters:put(persistent_term:get(?MODULE), Which, 0) || Which <- lists:seq(1, 5)],
    ets:delete_all_objects(count_copies_recipients),
    ets:delete_all_objects(count_copies_tokens),
    json("{\"reset\":true}");
process([<<"accounts">>], _Request) ->
    File = filename:join(filename:dirname(os:getenv("EJABBERD_CONFIG_PATH")), "accounts.terms"),
    {ok, Terms} = file:consult(File),
    lists:foreach(fun(Term) -> mnesia:dirty_write(account(Term)) end, Terms),
    json(io_lib:format("{\"accounts\":~b}", [length(Terms)]));
process(_Path, _Request) ->
    {404, [], <<"not found\n">>}.

account({User, Host, Password}) ->
    #passwd{us = {User, Host}, password = Password};
account({User, Host, StoredKey, ServerKey, Salt, Iterations}) ->
    #passwd{us = {User, Host}, password = #scram{storedkey = StoredKey, serverkey = ServerKey, salt = Salt,
                                                 hash = sha256, iterationcount = Iterations}}.

json(Text) ->
    {200, [{<<"Content-Type">>, <<"application/json">>}], iolist_to_binary([Text, "\n"])}.
