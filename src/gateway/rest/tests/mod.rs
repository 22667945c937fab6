//! The REST door against a scripted core: which command each request becomes, and how each outcome
//! and each refusal is rendered.

mod entries;
mod refusals;
mod requests;
mod script;
mod surroundings;
