//! Virtual time and a virtual network for real machines.
