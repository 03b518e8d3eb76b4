"""Missing images made from those at hand: what the network takes, its use on a case, marks and figures."""
