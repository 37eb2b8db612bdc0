//! Large trees on etcd: they are filled once, and then listed, measured for their memory, and written to.

use std::sync::Arc;

use anyhow::Result;

use crate::bench::Bench;
use crate::contender::{CertMagic, Contenders, Kvfs, OpenDal, Raw};
use crate::servers::Servers;
use crate::trees::{Shape, Tree, content};
use crate::workload::{list_memory, lists, scale};

/// Small: lists by name do not read the contents.
const BYTES: usize = 64;

pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    let wide = |files| Tree { shape: Shape::Wide, files };
    let deep = |files| Tree { shape: Shape::Deep, files };
    let ten = |files| Tree { shape: Shape::Ten, files };
    let trees = bench.quick_or_full(
        vec![wide(1_000), deep(10_000), ten(10_000), wide(10_000)],
        vec![
            wide(1_000),
            wide(10_000),
            wide(100_000),
            deep(1_000),
            deep(10_000),
            deep(100_000),
            wide(300_000),
            ten(1_000_000),
            wide(1_000_000),
        ],
    );
    // The larger ones would take peers that store a file at a time, and list in pages that grow slower, most of the time.
    let largest_for_peers = bench.quick_or_full(10_000, 100_000);
    let largest = trees.last().copied();
    for tree in trees {
        let names = Names::wanted(bench, tree, Some(tree) == largest);
        if names.is_empty() {
            continue;
        }
        let servers = Servers::one(bench.binary())?;
        let endpoints = servers.endpoints();
        let kvfs = Arc::new(Kvfs::on_etcd(&endpoints, "/kvfs").await?);
        let raw = Arc::new(Raw::connect(&endpoints, "/kvfs").await?);
        let content = content(BYTES);
        tree.fill(kvfs.storage(), &content).await?;
        let mut peers = Contenders::new();
        if tree.files <= largest_for_peers
            && names.has_lists()
            && (tree.shape == Shape::Wide || bench.is_full())
        {
            peers = vec![
                Arc::new(CertMagic::on_etcd(&endpoints).await?),
                Arc::new(OpenDal::on_etcd(&endpoints)?),
            ];
            for peer in &peers {
                tree.fill_singly(peer, &content).await?;
            }
        }
        let mut contenders: Contenders = vec![raw.clone(), kvfs];
        contenders.append(&mut peers);
        if let Some(name) = names.recursive {
            lists::recursive(bench, name, tree, &contenders).await;
        }
        if let Some(name) = names.children {
            lists::children(bench, name, tree, &raw, &contenders).await;
        }
        if let Some(name) = names.memory {
            list_memory::run(bench, &name, tree, &endpoints).await?;
        }
        scale::run(bench, &names.at_size, &endpoints).await?;
    }
    Ok(())
}

/// The workloads on a tree that are wanted.
struct Names {
    recursive: Option<String>,
    children: Option<String>,
    memory: Option<String>,
    at_size: Vec<(String, scale::What)>,
}

impl Names {
    fn wanted(bench: &Bench, tree: Tree, is_largest: bool) -> Self {
        let directory = tree.directory();
        let wanted = |name: String| bench.wants(&name).then_some(name);
        let of_largest = |name: String| if is_largest { wanted(name) } else { None };
        let at_size = [("store", scale::What::Store), ("load", scale::What::Load)];
        Self {
            recursive: wanted(format!("trees/list-recursive/{directory}")),
            children: wanted(format!("trees/list-children/{directory}")),
            memory: of_largest(format!("trees/list-memory/{directory}")),
            at_size: at_size
                .into_iter()
                .filter_map(|(called, what)| {
                    Some((of_largest(format!("trees/{called}-at/{}", tree.files))?, what))
                })
                .collect(),
        }
    }

    fn is_empty(&self) -> bool {
        !self.has_lists() && self.memory.is_none() && self.at_size.is_empty()
    }

    fn has_lists(&self) -> bool {
        self.recursive.is_some() || self.children.is_some()
    }
}
