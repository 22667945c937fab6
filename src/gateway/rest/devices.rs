//! The caller's installations.

use super::Gate;
use super::extract::{Caller, Id, Valid};
use super::field::{DeviceField, DeviceNameField};
use super::page::Page;
use super::problem::{BodyRefusals, Missing, Problem, Refusals, Unauthenticated};
use crate::model::{Actor, Command, Device, DeviceId, Outcome};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One installation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Device, example = json!({
    "device": 2_251_799_813_685_249_u64, "name": "phone", "created_at": 1_790_000_000_000_u64,
    "current": true
}))]
pub(super) struct DeviceView {
    /// Its id.
    #[schema(minimum = 1)]
    device: u64,
    /// What it calls itself.
    name: String,
    /// When it was first signed in.
    created_at: u64,
    /// Whether this request came from it.
    current: bool,
}

impl DeviceView {
    fn new(reader: Actor, device: &Device) -> Self {
        Self {
            device: device.device.get(),
            name: device.name.as_str().to_owned(),
            created_at: device.created_at.as_millis(),
            current: device.device == reader.device,
        }
    }
}

/// A new name.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "kitchen tablet"}))]
pub(super) struct RenameRequest {
    name: DeviceNameField,
}

/// The caller's devices
///
/// Those that are signed in.
#[utoipa::path(get, path = "/devices", tag = "devices", operation_id = "devices",
    security(("bearer" = [])),
    responses((status = 200, description = "All of them.", body = Page<DeviceView>),
        Refusals, Unauthenticated))]
pub(super) async fn list(
    State(gate): State<Gate>,
    Caller(actor): Caller,
) -> Result<Json<Page<DeviceView>>, Problem> {
    let Outcome::Devices(devices) = gate.ask(Some(actor), Command::Devices).await? else {
        return Err(Problem::wrong_outcome());
    };
    Ok(Json(Page::whole(devices.iter().map(|device| DeviceView::new(actor, device)))))
}

/// Rename a device
#[utoipa::path(patch, path = "/devices/{device}", tag = "devices", operation_id = "rename_device",
    security(("bearer" = [])), request_body = RenameRequest,
    params(("device" = inline(DeviceField), Path, description = "Which.")),
    responses((status = 204, description = "Renamed."),
        Refusals, BodyRefusals, Unauthenticated, Missing))]
pub(super) async fn rename(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Id(device): Id<DeviceId>,
    Valid(request): Valid<RenameRequest>,
) -> Result<StatusCode, Problem> {
    gate.perform(actor, Command::RenameDevice { device, name: request.name.0 }).await
}

/// Sign a device out
///
/// Closes its live connections at once; its tokens are dead.
#[utoipa::path(delete, path = "/devices/{device}", tag = "devices", operation_id = "revoke_device",
    security(("bearer" = [])),
    params(("device" = inline(DeviceField), Path, description = "Which.")),
    responses((status = 204, description = "Signed out."), Refusals, Unauthenticated, Missing))]
pub(super) async fn revoke(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Id(device): Id<DeviceId>,
) -> Result<StatusCode, Problem> {
    gate.perform(actor, Command::RevokeDevice { device }).await
}
