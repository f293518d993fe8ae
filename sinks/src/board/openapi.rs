//! `/api/v1/openapi.json`: the interface, described from its code. Routes and description come from one list.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder};
use utoipa::{OpenApi as _, ToSchema};

use super::problem::ProblemBody;

/// Where it is.
pub(super) const PATH: &str = "/api/v1/openapi.json";
/// Posted without an idempotency key: nothing is changed by it.
pub(super) const READING: &str = "/api/v1/sql";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Andon", description = "Telemetry of a workshop: what is now, what was, and what people do about it. Commands (all that is posted, but for SQL) are taken from this machine alone: 403 to others."),
    components(schemas(ProblemBody)),
    tags(
        (name = "service", description = "How the service is"),
        (name = "exceptions", description = "What calls for somebody"),
        (name = "jobs", description = "Job cards, steps, inspections, lines"),
        (name = "queues", description = "What other systems take up, and how far couriers are"),
        (name = "quarantine", description = "What could not be used, and recordings"),
        (name = "history", description = "SQL over the exported streams")
    )
)]
struct Begun;

/// Without the routes.
pub(super) fn begun() -> OpenApi {
    Begun::openapi()
}

/// With what holds for all routes: problems, and the key of commands.
pub(super) fn finished(mut description: OpenApi) -> OpenApi {
    for (path, item) in &mut description.paths.paths {
        let PathItem { get, post, .. } = item;
        for operation in [get, post].into_iter().flatten() {
            with_problems(operation);
        }
        if let Some(operation) = post.as_mut().filter(|_| path != READING) {
            operation.parameters.get_or_insert_default().push(key().into());
        }
    }
    description
}

fn with_problems(operation: &mut Operation) {
    let problem = Ref::from_schema_name(ProblemBody::name());
    let response = ResponseBuilder::new()
        .description("What failed, on what, and what to do")
        .content("application/problem+json", ContentBuilder::new().schema(Some(RefOr::Ref(problem))).build());
    operation.responses.responses.insert("default".to_owned(), response.build().into());
}

fn key() -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(128));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some(
            "A new one, such as a UUID, with each command, and the same one with each repeat of it; a key is known \
             for as long as it is among those of the newest 10,000 commands",
        ))
        .schema(Some(text))
        .build()
}
