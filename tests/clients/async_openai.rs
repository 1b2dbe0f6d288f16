// Lines beyond the one: 2. `filter_async` makes a `reqwest::Request` of what the client hands to services, and
// `replace_authorization` drops the API key that its configuration always sends.

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_openai::types::chat::{
    ChatCompletionRequestUserMessage, CreateChatCompletionRequest, CreateChatCompletionResponse,
};
use sigv4_middleware::{SigV4Layer, SigV4Middleware};
use tower::{ServiceBuilder, service_fn};

use crate::support::*;

async fn complete(client: Client<OpenAIConfig>) -> Result<CreateChatCompletionResponse, OpenAIError> {
    let request = CreateChatCompletionRequest {
        model: "m".into(),
        messages: vec![ChatCompletionRequestUserMessage::from("hello").into()],
        ..Default::default()
    };
    client.chat().create(request).await
}

const COMPLETION: &str = r#"{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[]}"#;

async fn through_the_layer(url: String) -> Result<CreateChatCompletionResponse, OpenAIError> {
    let signer = signing("execute-api").replace_authorization(true).build().unwrap();
    let service = ServiceBuilder::new()
        .filter_async(|request: HttpRequestFactory| async move { request.build().await })
        .layer(SigV4Layer::new(signer))
        .service(sigv4_middleware::reqwest_client().build()?);
    let config = OpenAIConfig::new().with_api_base(url);

    complete(Client::with_config(config).with_http_service(service)).await
}

async fn through_the_middleware(url: String) -> Result<CreateChatCompletionResponse, OpenAIError> {
    let signer = signing("execute-api").replace_authorization(true).build().unwrap();
    let client = reqwest_middleware::ClientBuilder::new(sigv4_middleware::reqwest_client().build()?)
        .with(SigV4Middleware::new(signer))
        .build();
    let service = service_fn(move |request: HttpRequestFactory| {
        let client = client.clone();
        async move { client.execute(request.build().await?).await.map_err(|e| OpenAIError::Boxed(e.into())) }
    });
    let config = OpenAIConfig::new().with_api_base(url);

    complete(Client::with_config(config).with_http_service(service)).await
}

#[tokio::test]
async fn layer() -> TestResult {
    let gateway = gateway().await;
    respond_json(&gateway, COMPLETION);
    assert_eq!(through_the_layer(gateway.url()).await?.model, "m");
    assert_eq!(authorized(&gateway).target, "/chat/completions");
    Ok(())
}

#[tokio::test]
async fn middleware() -> TestResult {
    let gateway = gateway().await;
    respond_json(&gateway, COMPLETION);
    assert_eq!(through_the_middleware(gateway.url()).await?.model, "m");
    assert_eq!(authorized(&gateway).target, "/chat/completions");
    Ok(())
}

#[tokio::test]
async fn refused() {
    found(&through_the_layer(DISALLOWED.into()).await.unwrap_err());
    found(&through_the_middleware(DISALLOWED.into()).await.unwrap_err());
}
