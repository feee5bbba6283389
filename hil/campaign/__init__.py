"""The tests that ``teiden rig run`` plays on a bench; they are pytest files like any other."""
