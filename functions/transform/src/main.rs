//! Entry point of the Lambda function `transform`.

#[tokio::main]
async fn main() -> Result<(), lambda_shell::Error> {
    lambda_shell::serve(transform::handle).await
}
