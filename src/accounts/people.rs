//! Who the accounts are: names, secrets, endpoints and contacts of a profile's population, by user index.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::engine::reach;
use crate::machine::Transport;
use crate::profile::{Accounts, Group, Target};
use crate::topology::Topology;
use crate::xmpp::{ClientConfig, Credentials};

/// See the module text. Users are indices over the whole population, as everywhere; anonymous ones have no account.
#[derive(Debug)]
pub struct People {
    target: Target,
    groups: Vec<Group>,
    clients: Vec<Arc<ClientConfig>>,
    topology: Topology,
    addresses: Vec<(SocketAddr, Transport)>,
}

impl People {
    /// The population of a validated profile. `addresses` are its target's endpoints, resolved, in order; none where
    /// nobody is to connect.
    pub fn new(target: Target, groups: Vec<Group>, addresses: Vec<(SocketAddr, Transport)>) -> Self {
        let clients = groups.iter().map(|group| Arc::new(reach::client_config(&target, group))).collect();
        let topology = Topology::new(&groups);
        Self { target, groups, clients, topology, addresses }
    }

    /// How many users there are, anonymous ones among them: indices lie below.
    pub fn population(&self) -> u32 {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// The users that have an account, in order.
    pub fn with_account(&self) -> impl Iterator<Item = u32> + '_ {
        let groups = self.groups.iter().filter(|group| !matches!(group.accounts, Accounts::Anonymous));
        groups.flat_map(|group| group.first..group.first + group.count)
    }

    /// The groups, in order.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The target.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// What a user logs in with; none for anonymous users and beyond the population.
    pub fn credentials(&self, user: u32) -> Option<Credentials> {
        let group = &self.groups[self.group_index(user)];
        let account = group.account(user.checked_sub(group.first)?)?;
        Some(Credentials {
            username: account.local.as_ref().into(),
            password: account.password.reveal().into(),
        })
    }

    /// A user's bare address; empty for anonymous users and beyond the population.
    pub fn bare(&self, user: u32) -> String {
        let group = &self.groups[self.group_index(user)];
        let account = user.checked_sub(group.first).and_then(|n| group.account(n));
        account.map_or_else(String::new, |account| format!("{}@{}", account.local, self.target.domain))
    }

    /// The contacts of a user, each with the user among its own.
    pub fn contacts(&self, user: u32) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.topology.contacts(user)
    }

    /// How a user negotiates.
    pub fn client(&self, user: u32) -> &Arc<ClientConfig> {
        &self.clients[self.group_index(user)]
    }

    /// Where a user connects to; none where no addresses were given.
    pub fn address(&self, user: u32) -> Option<(SocketAddr, Transport)> {
        self.addresses.get(user as usize % self.addresses.len().max(1)).copied()
    }

    /// Tells populations apart: a digest of target, names and graph, never of a password.
    pub fn fingerprint(&self) -> String {
        let mut digest = Sha256::new();
        let mut add = |text: &str| {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text.as_bytes());
        };
        add(&self.target.domain);
        self.target.endpoints.iter().for_each(|endpoint| add(&endpoint.to_string()));
        for group in &self.groups {
            add(&format!("{} {} {}", group.count, group.contacts, group.graph));
            (0..group.count).filter_map(|n| group.account(n)).for_each(|account| add(&account.local));
        }
        digest.finalize().iter().take(16).fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    fn group_index(&self, user: u32) -> usize {
        self.groups.partition_point(|group| group.first <= user).saturating_sub(1)
    }
}
