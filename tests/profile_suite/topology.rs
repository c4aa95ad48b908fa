//! Contacts: mutual, exact, the same for ever.

use std::collections::BTreeSet;

use proptest::prelude::*;
use xmpp_bench::profile::{Accounts, Graph, Group, Mechanism};
use xmpp_bench::topology::Topology;

fn group(first: u32, count: u32, contacts: u32, graph: Graph) -> Group {
    Group {
        name: "users".to_owned(),
        first,
        count,
        accounts: Accounts::Anonymous,
        auth: vec![Mechanism::Anonymous],
        plain_without_tls: false,
        contacts,
        graph,
        login_rate: None,
    }
}

/// Every list is free of its owner and of doubles, within the group, and mutual; and the three ways of asking agree.
fn check(topology: &Topology, first: u32, count: u32) {
    let lists: Vec<BTreeSet<u32>> =
        (first..first + count).map(|user| topology.contacts(user).collect()).collect();
    for user in first..first + count {
        let list = &lists[(user - first) as usize];
        assert_eq!(list.len() as u32, topology.contact_count(user), "{user} has somebody twice: {list:?}");
        assert!(!list.contains(&user), "{user} is its own contact");
        for other in first..first + count {
            let listed = list.contains(&other);
            assert_eq!(listed, topology.are_contacts(user, other), "{user} and {other}");
            assert_eq!(
                listed,
                lists[(other - first) as usize].contains(&user),
                "{user} and {other} are not mutual"
            );
        }
        assert!(
            list.iter().all(|&other| other >= first && other < first + count),
            "{user} knows an outsider"
        );
    }
}

proptest! {
    #[test]
    fn ring_and_random_give_everyone_exactly_as_many_as_asked(
        first in 0u32..100, count in 1u32..120, share in 0.0f64..1.0, random: bool,
    ) {
        let contacts = (f64::from(count - 1) * share).round() as u32;
        let graph = if random { Graph::Random } else { Graph::Ring };
        let topology = Topology::new(&[group(0, first, 0, Graph::Ring), group(first, count, contacts, graph)]);
        check(&topology, first, count);
        let both_odd = contacts % 2 == 1 && count % 2 == 1;
        let expected = if both_odd { contacts - 1 } else { contacts };
        for user in first..first + count {
            prop_assert_eq!(topology.contact_count(user), expected);
        }
    }

    #[test]
    fn zipf_is_mutual_and_leaves_nobody_out(count in 2u32..120, share in 0.1f64..1.0, exponent in 0.1f64..3.0) {
        let contacts = (f64::from(count - 1) * share).ceil() as u32;
        let topology = Topology::new(&[group(0, count, contacts, Graph::Zipf(exponent))]);
        check(&topology, 0, count);
        for user in 0..count {
            prop_assert!(topology.contact_count(user) >= contacts / 2, "{} has too few", user);
        }
    }
}

#[test]
fn zipf_has_a_heavy_tail_and_about_the_mean() {
    let topology = Topology::new(&[group(0, 10_000, 20, Graph::Zipf(1.1))]);
    let mut counts: Vec<u32> = (0..10_000).map(|user| topology.contact_count(user)).collect();
    counts.sort_unstable();
    let mean = f64::from(counts.iter().sum::<u32>()) / 10_000.0;
    assert!((17.0..=20.0).contains(&mean), "mean {mean}");
    assert!(counts[5_000] <= 16, "the median is {}", counts[5_000]);
    assert!(counts[9_999] > 5_000 && counts[9_900] > 60, "{} and {}", counts[9_999], counts[9_900]);
}

#[test]
fn random_contacts_lie_anywhere_and_ring_contacts_near() {
    let topology =
        Topology::new(&[group(0, 10_000, 20, Graph::Random), group(10_000, 10_000, 20, Graph::Ring)]);
    let distance = |a: u32, b: u32| a.abs_diff(b).min(10_000 - a.abs_diff(b));
    let farthest = |user: u32| topology.contacts(user).map(|other| distance(user, other)).max().unwrap();
    assert!(farthest(5_000) > 3_000, "{}", farthest(5_000));
    assert_eq!(farthest(15_000), 10);
    let triangles = topology
        .contacts(5_000)
        .flat_map(|a| topology.contacts(5_000).map(move |b| (a, b)))
        .filter(|&(a, b)| topology.are_contacts(a, b))
        .count();
    assert!(triangles < 20, "{triangles} of 380 pairs of contacts know each other");
}

#[test]
fn rosters_made_once_stay_true() {
    let topology = Topology::new(&[group(0, 1_000, 6, Graph::Random), group(1_000, 50, 4, Graph::Zipf(1.1))]);
    let random: Vec<u32> = topology.contacts(0).collect();
    let zipf: Vec<u32> = topology.contacts(1_000).collect();
    assert_eq!(random, RANDOM_CONTACTS_OF_0);
    assert_eq!(zipf, ZIPF_CONTACTS_OF_1000);
}

const RANDOM_CONTACTS_OF_0: [u32; 6] = [119, 881, 294, 706, 375, 625];
const ZIPF_CONTACTS_OF_1000: [u32; 5] = [1_003, 1_004, 1_019, 1_027, 1_030];

#[test]
fn nobody_beyond_the_population_has_contacts() {
    let topology = Topology::new(&[group(0, 1, 0, Graph::Ring)]);
    assert_eq!(topology.contact_count(0) + topology.contact_count(1), 0);
    assert!(!topology.are_contacts(0, 0) && !topology.are_contacts(1, 0) && !topology.are_contacts(0, 1));
}
