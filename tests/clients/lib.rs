//! The guide's page about clients, whose code is compiled here, where those clients are.
#![cfg_attr(doctest, doc = include_str!("../../src/guide/clients.md"))]
