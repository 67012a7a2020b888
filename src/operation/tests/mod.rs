//! The lines of BEHAVIOUR.md on these operations, each against a real directory.

mod access;
mod accesslog;
mod add;
mod bind_model;
mod compare;
mod context_csn;
mod control;
mod delete;
mod dynamic;
mod follow;
mod group;
mod harness;
mod identifier;
mod managed_account;
mod modify;
mod modify_dn;
mod own_password;
mod password;
mod policies;
mod reference;
mod root_dse;
mod search;
mod search_controls;
mod second_factor;
mod sorting;
mod write_controls;
