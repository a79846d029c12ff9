//! Entry point of the Lambda function `plan`.

#[tokio::main]
async fn main() -> Result<(), lambda_shell::Error> {
    lambda_shell::serve(plan::handle).await
}
