//! Strongly connected components of the graph of a matrix.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// The strongly connected components of a graph of `n` nodes, each sorted, and after those that its edges lead to: with an
/// edge from `i` to `j` for each entry `(i, j)`, the order in which a matrix is block lower triangular.
pub(crate) fn strongly_connected(n: usize, edges: impl Iterator<Item = (usize, usize)>) -> Vec<Vec<usize>> {
    let mut graph = DiGraph::<(), ()>::with_capacity(n, 0);
    for _ in 0..n {
        graph.add_node(());
    }
    for (i, j) in edges {
        graph.add_edge(NodeIndex::new(i), NodeIndex::new(j), ());
    }
    let sorted = |component: Vec<NodeIndex>| {
        let mut members: Vec<usize> = component.into_iter().map(NodeIndex::index).collect();
        members.sort_unstable();
        members
    };
    kosaraju_scc(&graph).into_iter().map(sorted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_come_after_what_they_depend_on() {
        // 0 <-> 3 depends on 1, which depends on the ring 2 -> 4 -> 5 -> 2.
        let edges = [(0, 3), (3, 0), (3, 1), (1, 2), (2, 4), (4, 5), (5, 2), (1, 1)];
        assert_eq!(strongly_connected(6, edges.into_iter()), [vec![2, 4, 5], vec![1], vec![0, 3]]);
    }
}
